/** The reasons why a front lets a connection go. */
import type { ConnectionErrorReason } from "../request-meter.ts";

/** A connection that a stage refuses. The message says what the client did, for the log. */
export class Refusal extends Error {
  /** As it is counted. */
  readonly reason: ConnectionErrorReason;
  /** A response of HTTP/1.1 to send before the connection is closed. */
  readonly answer: string | undefined;

  constructor(reason: ConnectionErrorReason, message: string, options?: ErrorOptions & { answer?: string }) {
    super(message, options);
    this.name = "Refusal";
    this.reason = reason;
    this.answer = options?.answer;
  }
}

/** The client took too long. */
export class FrontTimeout extends Refusal {
  /** Whether it has sent nothing at all: a scanner, or a client that connects ahead of its first request. */
  readonly isSilent: boolean;

  constructor(milliseconds: number, hasSent: boolean) {
    super(
      "head_timeout",
      `the client sent no complete PROXY header, TLS handshake or preface of HTTP/2 within ${milliseconds / 1000} s`,
    );
    this.name = "FrontTimeout";
    this.isSilent = !hasSent;
  }
}

/** The client closed the connection before it had sent anything that could be refused: a port scan, a probe. */
export class ClientLeft extends Error {
  constructor() {
    super("the client closed the connection");
    this.name = "ClientLeft";
  }
}
