/**
 * Every error that tsgun throws on purpose. An error carries its own consequence (an HTTP status or a process exit
 * code), so that no caller has to derive it from the class.
 */
import { isNativeError } from "node:util/types";

/** Process exit codes. 3 and 4 are gunicorn's (`Arbiter.WORKER_BOOT_ERROR`, `APP_LOAD_ERROR`). */
export const ExitCode = {
  ok: 0,
  /** The server failed at run time, or could not bind. */
  failure: 1,
  /** The command line or the configuration is wrong. */
  usage: 2,
  /** A worker failed to boot. */
  workerBoot: 3,
  /** The application could not be loaded. */
  appLoad: 4,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Ends the process with `exitCode`; the message is one line that says what happened, where, and what to do. */
export class FatalError extends Error {
  override readonly name: string = "FatalError";
  readonly exitCode: ExitCode;
  /** More than the message, on several lines: the app's own stack. */
  readonly detail: string | undefined;

  constructor(message: string, exitCode: ExitCode, options?: ErrorOptions & { readonly detail?: string }) {
    super(message, options);
    this.exitCode = exitCode;
    this.detail = options?.detail;
  }
}

/** Whether `status` is a client or server error (RFC 9110 sections 15.5 and 15.6). */
function isErrorStatus(status: unknown): status is number {
  return Number.isInteger(status) && (status as number) >= 400 && (status as number) <= 599;
}

/** The request cannot be served: the response has `status`. */
export class HttpError extends Error {
  override readonly name: string = "HttpError";
  /** The HTTP status of the response, 400 to 599. */
  readonly status: number;

  /** @throws RangeError for a status that is not an integer from 400 to 599 */
  constructor(status: number, message: string, options?: ErrorOptions) {
    if (!isErrorStatus(status))
      throw new RangeError(
        `${String(status)} is not the status of an error (400 to 599): ${message}`,
        options,
      );
    super(message, options);
    this.status = status;
  }
}

const HTTP_ERROR_NAMES: ReadonlySet<unknown> = new Set(["HttpError", "BodyError"]);

/**
 * Returns the HTTP status that an error carries, or undefined. Errors of another copy of this package are instances of
 * other classes, so the name is checked as well (gateway section 2).
 */
export function errorStatus(error: Error): number | undefined {
  if (!(error instanceof HttpError) && !HTTP_ERROR_NAMES.has(error.name)) return undefined;
  const { status } = error as Partial<HttpError>;
  return isErrorStatus(status) ? status : undefined;
}

/** The request body could not be read in full: too large (413), malformed or cut short (400), too slow (408). */
export class BodyError extends HttpError {
  override readonly name = "BodyError";
}

/** The application broke the gateway contract; `clause` is the section of docs/gateway.md. */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly clause: string;

  constructor(clause: string, message: string) {
    super(`${message} (gateway ${clause})`);
    this.clause = clause;
  }
}

/** The value that a fetch app returned cannot be sent: it is no `Response`, or its body has been used. */
export class FetchAppError extends TypeError {
  override readonly name = "FetchAppError";
}

/** Something that runs before the app has failed (a hook), so the app was not called: the response is a 500. */
export class AppNotCalled extends Error {
  override readonly name: string = "AppNotCalled";
}

/** The client closed the connection before the response was complete. */
export class ClientGone extends Error {
  override readonly name = "ClientGone";

  constructor(message = "the client closed the connection before the response was complete") {
    super(message);
  }
}

/** Whether an error means only that the client has gone. Node's AbortError carries the signal's reason as its cause. */
export function isClientGone(error: Error): boolean {
  return error instanceof ClientGone || (error.name === "AbortError" && error.cause instanceof ClientGone);
}

/** The server aborted the request: it timed out, or its worker was forced to exit. */
export class RequestAborted extends Error {
  override readonly name = "RequestAborted";
}

/** Converts a thrown value to an Error. It may be no error, and may not even convert to text. */
export function thrownError(thrown: unknown): Error {
  // isNativeError recognises errors of another realm (node:vm).
  if (thrown instanceof Error || isNativeError(thrown)) return thrown;
  try {
    return new Error(`the app threw ${String(thrown)}`);
  } catch {
    return new Error(`the app threw a value of type ${typeof thrown} that cannot be converted to text`);
  }
}
