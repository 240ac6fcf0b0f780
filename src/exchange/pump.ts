/** Pumping: what a source yields becomes an answer's content, at the speed of the client. */
import { type ContentSource, isPiece, noPiece } from "./content.ts";

/** What the pump needs of the answer. */
export interface PumpedAnswer {
  /** Nothing more will be sent. */
  readonly complete: boolean;
  sendHead(): void;
  /** Sends a piece; false when `room` should be awaited. */
  send(chunk: string | Uint8Array): boolean;
  room(): Promise<void>;
}

/**
 * Sends all that `source` yields, unless the answer is complete before. The head waits for the first piece, but no
 * longer than a turn of the event loop: a source that fails at once becomes a 500, one that is slow to begin is
 * not held up.
 *
 * @throws GatewayError for what is no content; what the source throws.
 */
export async function pump(source: ContentSource, answer: PumpedAnswer): Promise<void> {
  const first = Promise.resolve(source.next());
  const turn = new Promise<undefined>((resolve) => setImmediate(resolve, undefined));
  let next = await Promise.race([first, turn]);
  answer.sendHead();
  next ??= await first;
  while (next.done !== true && !answer.complete) {
    const chunk = next.value;
    if (!isPiece(chunk)) throw noPiece(chunk);
    if (!answer.send(chunk)) await answer.room();
    next = await source.next();
  }
}
