/** The contract between a session and the exchanges on its streams, whatever kind of app answers them. */
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Member } from "../member-list.ts";
import type { Standing } from "../places/policy.ts";
import type { InFlightRequest } from "../server.ts";

/** A head, before anything has been checked. */
export interface ArrivedHead {
  /** Alternating names and values as they arrived. */
  readonly fields: readonly string[];
  /** The same by name, as node:http2 makes it. */
  readonly headers: IncomingHttpHeaders;
  /** Whether the stream goes on after the head. */
  readonly hasContent: boolean;
}

/** One request and its response, to the session. */
export interface SessionExchange extends Member {
  readonly stream: ServerHttp2Stream;
  begin(head: ArrivedHead): void;
  /** The request while it has no complete response. */
  readonly current: InFlightRequest | undefined;
  /** The app has been given the stream. */
  readonly isUpgraded: boolean;
  /** A frame with content of the response has been sent. */
  progressed(bytes: number): void;
  /** The client's next step, and how late it is with it; undefined if it is the app's turn, or nobody's. */
  standing(now: number): Standing | undefined;
  /** @param passed time that has passed for certain, in the server's time */
  checkDeadlines(passed: number): void;
  /** The worker exits: nobody gets a response any more. */
  abandon(): void;
  logUnfinished(): void;
}

/** The session, to its exchanges. @typeParam Context what all requests of a connection share */
export interface ExchangeSession<Context> {
  readonly context: Context;
  /** Closes the session once its exchanges have ended, if that is due with this response. */
  responding(closes: boolean): void;
  /** Whether it was the client that has reset the stream. */
  wasResetByClient(streamId: number): boolean;
  /** A handler has returned a promise; `handlerSettled` follows. */
  handlerBegan(): void;
  readonly handlerSettled: () => void;
  streamClosed(exchange: SessionExchange): void;
}
