/** A `respond` whose head or content a middleware changes, in whichever way the app responds. */
import { AnswerFields, type AnswerHead } from "./answer-head.ts";
import { PieceQueue } from "./piece-queue.ts";
import { piecesOf } from "./pieces.ts";
import { forbidsContent } from "./statuses.ts";
import type { HeadersInput, Respond, ResponseBody, ResponseWriter } from "./types.ts";

export interface AnswerChanges {
  /** Changes the status and the fields, in place, before anything is sent. */
  readonly head?: (head: AnswerHead) => void;
  /**
   * Returns other content, and may change the head. It is not called for `null`, nor for a status without content. A file
   * or a stream is passed on as it is, so use `piecesOf` to read any of them.
   */
  readonly body?: (content: NonNullable<ResponseBody>, head: AnswerHead) => ResponseBody;
}

/**
 * Returns a `respond` that applies `changes` to the final response and leaves the rest of `respond` as it is. What the app
 * writes piece by piece reaches `body` as an async iterable, with backpressure, and its errors reach the app.
 *
 * A wrapper made with `Object.assign` would copy `sent` once and for all.
 */
export function deriveRespond(respond: Respond, changes: AnswerChanges): Respond {
  const derived = (...args: [number, (HeadersInput | null)?, ResponseBody?]): unknown => {
    const [status, headers, body] = args;
    // A second response is refused as it is, and an invalid one leaves the request unanswered.
    if (respond.sent) return respond(status, headers as HeadersInput, body as ResponseBody);
    const head: AnswerHead = { status, headers: new AnswerFields(headers) };
    changes.head?.(head);
    if (args.length > 2) return respondWhole(respond, head, body as ResponseBody, changes);
    return changes.body === undefined || forbidsContent(head.status)
      ? respond(head.status, head.headers)
      : writeThrough(respond, head, changes.body);
  };
  Object.defineProperties(derived, {
    sent: { get: () => respond.sent, enumerable: true },
    informational: {
      value: (status: number, headers?: HeadersInput) => respond.informational(status, headers),
    },
    upgrade: { value: (headers?: HeadersInput | null) => respond.upgrade(headers) },
    finished: { value: () => respond.finished() },
  });
  return derived as unknown as Respond;
}

function respondWhole(
  respond: Respond,
  head: AnswerHead,
  body: ResponseBody,
  { body: change }: AnswerChanges,
): void {
  const isKept = change === undefined || body === null || body === undefined || forbidsContent(head.status);
  const content = isKept ? body : change(body, head);
  respond(head.status, head.headers, content);
}

/** The writer of a response whose pieces go through `change`. */
function writeThrough(
  respond: Respond,
  head: AnswerHead,
  change: NonNullable<AnswerChanges["body"]>,
): ResponseWriter {
  const pieces = new PieceQueue();
  const changed = change(pieces, head);
  const writer = respond(head.status, head.headers);
  const sent = (async () => {
    try {
      for await (const piece of piecesOf(changed)) await writer.write(piece);
    } catch (error) {
      writer.destroy(error as Error);
      pieces.fail(error as Error);
    }
  })();
  return {
    write: (chunk) => pieces.push(chunk),
    flush: () => writer.flush(),
    end: async (chunk, trailers) => {
      if (chunk !== undefined && chunk !== null) pieces.push(chunk).catch(() => {});
      pieces.end();
      await sent;
      return await writer.end(undefined, trailers);
    },
    destroy: (error) => {
      pieces.fail(error ?? new Error("the app destroyed the response"));
      writer.destroy(error);
    },
  };
}
