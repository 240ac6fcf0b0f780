/**
 * What becomes of a request whose content is broken, cut short, too large or too slow while the app reads it, however
 * it does. What the app answers is used. Where it does not answer, the error's own status is sent: as soon as the
 * handler settles, and before long if it never does.
 */
import { BodyError } from "../errors.ts";

/** The answer, as far as it is concerned. */
export interface FaultyAnswer {
  readonly headSent: boolean;
  fault: BodyError | undefined;
  giveUp(error: Error): void;
}

/** An app that neither answers nor settles has so long, in milliseconds: a client waits for two seconds at most. */
const GRACE_MS = 1000;

/**
 * Sees to the answer. To be called before the reader is told: only a handler that settles from then on has had its say.
 *
 * @param running what the handler returned, if it is a promise; asked for in a microtask, when it has returned
 */
export function answerFault(
  answer: FaultyAnswer,
  fault: BodyError,
  running: () => PromiseLike<unknown> | undefined,
): void {
  answer.fault = fault;
  const giveUp = (): void => {
    // An answer that has begun is the app's, and has clocks of its own.
    if (!answer.headSent) answer.giveUp(fault);
  };
  setTimeout(giveUp, GRACE_MS).unref();
  queueMicrotask(() => {
    // A handler that had settled before works with callbacks, which may answer in a while.
    let before = true;
    const settled = (): void => {
      if (!before) giveUp();
    };
    running()?.then(settled, () => {});
    queueMicrotask(() => {
      before = false;
    });
  });
}

/** What an app's failure behind a fault of the content is: that fault, with what the app made of it. */
export function faultOf(error: Error, fault: BodyError): BodyError {
  if (isCausedBy(error, fault)) return fault;
  const made = `${error.name}: ${error.message}`.split("\n", 1)[0];
  return new BodyError(fault.status, `${fault.message} (the app: ${made})`, { cause: fault.cause });
}

function isCausedBy(error: unknown, fault: BodyError): boolean {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth += 1) {
    if (at === fault) return true;
  }
  return false;
}
