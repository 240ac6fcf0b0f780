/** Pumps the pieces of a source into a response, with backpressure. */
import { type ContentSource, isPiece, noPiece } from "./content.ts";

/** The members of a response that the pump uses. */
export interface PumpedResponse {
  /** True if nothing more will be sent. */
  readonly complete: boolean;
  sendHead(): void;
  /** Sends a piece; false if the caller should await `whenWritable`. */
  send(chunk: string | Uint8Array): boolean;
  whenWritable(): Promise<void>;
}

/**
 * Sends everything that `source` yields, or stops once the response is complete. The head waits for the first piece,
 * but at most one turn of the event loop, so that a source that fails at once becomes a 500 and a slow one does not
 * delay the head.
 *
 * @throws GatewayError for an invalid piece; any error of the source
 */
export async function pump(source: ContentSource, response: PumpedResponse): Promise<void> {
  const first = Promise.resolve(source.next());
  const turn = new Promise<undefined>((resolve) => setImmediate(resolve, undefined));
  let next = await Promise.race([first, turn]);
  response.sendHead();
  next ??= await first;
  while (next.done !== true && !response.complete) {
    const chunk = next.value;
    if (!isPiece(chunk)) throw noPiece(chunk);
    if (!response.send(chunk)) await response.whenWritable();
    next = await source.next();
  }
}
