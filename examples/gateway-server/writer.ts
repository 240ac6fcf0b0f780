/** The writer of an answer (docs/gateway.md, section 7). */
import type { HeadersInput, ResponseWriter } from "tsgun/gateway";
import { misuse } from "./errors.ts";
import { NO_TRAILER, type Pairs, pairsOf } from "./fields.ts";
import { bytesOf } from "./sources.ts";

/** The acts of a writer on its answer. Each act throws before it has sent anything, or not at all. */
export interface Written {
  /** The call of `respond` has completed the answer: 204, 205 and 304. */
  readonly isComplete: boolean;
  /** Why nothing can be written any more, apart from an end. */
  readonly broken: () => Error | undefined;
  readonly put: (piece: unknown) => Promise<unknown>;
  /** Sends the head, if it is not sent. */
  readonly flush: () => Promise<unknown>;
  /** Ends the answer; resolves once the system has all of it. */
  readonly end: (piece: Uint8Array | null, trailers: Pairs) => Promise<unknown>;
  /** Resolves as `end` does. */
  readonly finished: () => Promise<unknown>;
  readonly fail: (error: unknown) => void;
}

export function writerOf(answer: Written): ResponseWriter {
  const { isComplete } = answer;
  let ended = false;
  // The promise may be ignored: the app learns of the failure by the answer's own end.
  const quiet = (promise: Promise<unknown>): Promise<void> => {
    const done = promise.then(() => {});
    done.catch(() => {});
    return done;
  };
  const attempt = (act: () => Promise<unknown>): Promise<void> => {
    const error = ended
      ? misuse("the answer has been ended (7.4)")
      : isComplete
        ? undefined
        : answer.broken();
    if (error !== undefined) return quiet(Promise.reject(error));
    try {
      return quiet(act());
    } catch (thrown) {
      answer.fail(thrown);
      return quiet(Promise.reject(thrown));
    }
  };
  return {
    write: (chunk) =>
      attempt(() => {
        if (!isComplete) return answer.put(chunk);
        bytesOf(chunk);
        return Promise.resolve();
      }),
    flush: () => quiet(ended || isComplete ? Promise.resolve() : answer.flush()),
    destroy: (error) => {
      if (!ended && !isComplete) answer.fail(error ?? new Error("the app has given the answer up"));
    },
    end: (chunk, trailers) => {
      let pairs: Pairs;
      try {
        pairs = trailersOf(trailers);
      } catch (error) {
        // The app may end it otherwise, but at once.
        setImmediate(() => {
          if (!ended && !isComplete) answer.fail(error);
        });
        return quiet(Promise.reject(error));
      }
      return attempt(() => {
        ended = true;
        if (isComplete) return answer.finished();
        return answer.end(chunk === undefined || chunk === null ? null : bytesOf(chunk), pairs);
      });
    },
  };
}

function trailersOf(given: HeadersInput | undefined): Pairs {
  const pairs = pairsOf(given);
  const wrong = pairs.find(([name]) => NO_TRAILER.has(name.toLowerCase()))?.[0];
  if (wrong !== undefined) throw misuse(`${wrong} must not be a trailer (10.3)`);
  return pairs;
}
