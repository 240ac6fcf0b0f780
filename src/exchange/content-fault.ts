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
    let isFirstTick = true;
    const settled = (): void => {
      if (!isFirstTick) abort();
    };
    running()?.then(settled, () => {});
    queueMicrotask(() => {
      isFirstTick = false;
    });
  });
}

/** Attributes an app's error to the fault of the content: returns the fault, with the app's message unless caused by it. */
export function attributeToFault(error: Error, fault: BodyError): BodyError {
  if (isCausedBy(error, fault)) return fault;
  const summary = `${error.name}: ${error.message}`.split("\n", 1)[0];
  return new BodyError(fault.status, `${fault.message} (the app: ${summary})`, { cause: fault.cause });
}

/** Bounds a chain of causes, which may be circular. */
const MAX_CAUSES = 8;

function isCausedBy(error: unknown, fault: BodyError): boolean {
  for (let cause: unknown = error, depth = 0; cause instanceof Error && depth < MAX_CAUSES; depth += 1) {
    if (cause === fault) return true;
    cause = cause.cause;
  }
  return false;
}
