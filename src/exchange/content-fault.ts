/**
 * Responds to a request whose content turns out malformed, truncated, too large or too slow while the app reads it, in
 * any way. A response of the app is used. If there is none, the error's own status is sent as soon as the handler
 * settles, or after `GRACE_MS` if it does not.
 */
import { BodyError } from "../errors.ts";

/** The members of the response that are used here. */
export interface FaultyResponse {
  readonly headSent: boolean;
  fault: BodyError | undefined;
  abort(error: Error): void;
}

/** Time for an app that neither responds nor settles; a client should wait two seconds at most. */
const GRACE_MS = 1000;

/**
 * Ensures a response. Call before the reader gets the error: only a handler that settles after this call has reacted
 * to the fault.
 *
 * @param running returns the handler's promise, if any; called in a microtask, when the handler has returned
 */
export function respondToFault(
  response: FaultyResponse,
  fault: BodyError,
  running: () => PromiseLike<unknown> | undefined,
): void {
  response.fault = fault;
  const abort = (): void => {
    // Once the head is sent, the response is the app's and has its own timeouts.
    if (!response.headSent) response.abort(fault);
  };
  setTimeout(abort, GRACE_MS).unref();
  queueMicrotask(() => {
    // A handler that settled earlier uses callbacks, which may still respond.
    let before = true;
    const settled = (): void => {
      if (!before) abort();
    };
    running()?.then(settled, () => {});
    queueMicrotask(() => {
      before = false;
    });
  });
}

/** Attributes an app's error to the fault of the content: returns the fault, with the app's message unless caused by it. */
export function attributeToFault(error: Error, fault: BodyError): BodyError {
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
