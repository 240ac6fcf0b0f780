/**
 * Every error that tsgun makes on purpose. An error knows its own consequence (an HTTP status or a
 * process exit code), so that nobody has to guess it from the class.
 */

/** Process exit codes. 3 and 4 are gunicorn's (`Arbiter.WORKER_BOOT_ERROR`, `APP_LOAD_ERROR`). */
export const ExitCode = {
  ok: 0,
  /** The server failed while it ran, or could not bind. */
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
  /** What tells more than the message, in many lines: the app's own stack. */
  readonly detail: string | undefined;

  constructor(message: string, exitCode: ExitCode, options?: ErrorOptions & { readonly detail?: string }) {
    super(message, options);
    this.exitCode = exitCode;
    this.detail = options?.detail;
  }
}

/** A request that cannot be served as it is: answered with `status`, then the connection is closed. */
export class HttpError extends Error {
  override readonly name: string = "HttpError";
  /** The HTTP status that this error is answered with. */
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** The content of a request could not be read whole: too large (413), broken or cut short (400), too slow (408). */
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

/** The client closed the connection before the answer was complete. */
export class ClientGone extends Error {
  override readonly name = "ClientGone";

  constructor(message = "the client closed the connection before the answer was complete") {
    super(message);
  }
}

/** The request was given up by the server: its time was over, or its worker was forced out. */
export class RequestAborted extends Error {
  override readonly name = "RequestAborted";
}

/** What an app threw, as an error: not everything that can be thrown is one, or can be made text. */
export function thrownError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  try {
    return new Error(`the app threw ${String(thrown)}`);
  } catch {
    return new Error(`the app threw an ${typeof thrown} that has no text`);
  }
}
