/**
 * The contract between the parts of one connection.
 *
 *     channel ──> EngineConnection ──> Input ──> RequestParser ──> Dispatcher ──> app
 *     channel <── Output <── ResponseSender <── EngineResponse <──────────────────┘
 *
 * - The connection owns the channel (`server/channel/`) and the phase (idle, head, exchange, lingering, upgraded, closed). Input reads bytes
 *   into the parser only while a request may arrive (`accepting`) and nothing is `blocked`; it holds the rest.
 * - The parser turns bytes into `onHead`, `onBody` and `onEnd`, and stops after each message. It does no I/O.
 * - The dispatcher owns the exchange: one request, its content and its response (`CurrentExchange`). An exchange ends when the response has
 *   been sent and the content read or discarded; only then is the next head parsed.
 * - Whether the connection is kept is decided when the head of the response is sent, and can be revoked until the
 *   exchange ends, never granted again.
 * - Invalid input is refused where it is noticed: before the app is called, by a response of the server; later, by
 *   failing the content, so that the app, or the server in its place, responds.
 */
import type { AsyncResource } from "node:async_hooks";
import type { Duplex } from "node:stream";
import type { BodyError } from "../../errors.ts";
import type { ExchangeContext, ExchangeRequest } from "../../exchange/request.ts";
import type { DressAnswer } from "../../exchange/server-answer.ts";
import type { Handler } from "../../gateway/types.ts";
import type { RecordedRequest } from "../../ipc/stall-report.ts";
import type { PeerWatch } from "../peer-watch.ts";
import type { RunningHandlers } from "../running-handlers.ts";
import type { EngineOptions } from "../server-options.ts";
import type { UnfinishedHeads } from "../unfinished-heads.ts";
import type { EngineExchangeWatch } from "./engine-exchange-watch.ts";
import type { Input } from "./input.ts";
import type { ParserPool } from "./parser-pool.ts";

/** The server, to the dispatcher. */
export interface ExchangeHost {
  readonly handle: Handler;
  /** Handles requests that ask for a protocol change; undefined if `handle` does. */
  readonly upgrade: Handler | undefined;
  /** Has the app dress the server's own responses; undefined if it does not. */
  readonly dress: DressAnswer | undefined;
  readonly options: EngineOptions;
  /** The base of deadlines: the server's time at the end of the current tick, in milliseconds. */
  readonly now: number;
  readonly draining: boolean;
  /** No connection is accepted until another is closed. */
  readonly full: boolean;
  readonly handlers: RunningHandlers;
  /** The number of kept connections still to be closed. */
  shedding: number;
  /** A response has been sent. */
  onResponse(): void;
}

/** The server, to a connection. */
export interface ConnectionHost<Connection> extends ExchangeHost {
  /** The async scope of whatever belongs to no request. */
  readonly scope: AsyncResource;
  readonly parsers: ParserPool;
  readonly peers: PeerWatch;
  readonly heads: UnfinishedHeads<Connection>;
  /** While draining: how long an idle connection may still send a request. */
  readonly lingerMs: number;
  /** Creates what counts and logs the exchanges of a connection; undefined if they are neither counted nor logged. */
  watchExchanges(context: ExchangeContext): EngineExchangeWatch | undefined;
  onClosed(connection: Connection): void;
}

/** The connection, to the dispatcher. */
export interface ExchangeConnection {
  readonly input: Input;
  /** A head has been parsed: an exchange begins. */
  beginExchange(): void;
  /** The exchange has ended, and the connection is kept. */
  endExchange(): void;
  /** Hands the connection over to the app. The first bytes that it sends go to `onFirstWrite` too. */
  upgrade(onFirstWrite: ((bytes: Uint8Array) => void) | undefined): Duplex;
  /** Sends what is pending, closes the sending side, and lingers so that no reset overtakes the response. */
  close(): void;
  /**
   * Does so without lingering if the client is not sending: it has said that this was its last request (RFC 9112
   * section 9.6), which arrived whole and with nothing behind it, so that no reset can follow.
   */
  finish(): void;
  /** Destroys the connection. @param reset tells the client even if the end of the connection ends the content */
  abort(reset: boolean): void;
}

/** The dispatcher, to the content of a request. */
export interface ContentHost {
  readonly input: Input;
  /** The server's time. */
  readonly now: number;
  /** When the client must have sent more content, in the server's time; Infinity while none is expected. */
  contentDeadline: number;
  readonly responseComplete: boolean;
  readonly keepAlive: boolean;
  disableKeepAlive(): void;
  /** Sends 100 Continue unless the response has begun. */
  sendContinue(): void;
  /** Fails the content with `error` for its reader. */
  failContent(error: BodyError): void;
  close(): void;
}

/** The dispatcher, to the response. */
export interface ResponseHost {
  /** Returns whether the connection is kept after the response whose head is about to be sent. */
  decideKeepAlive(): boolean;
  disableKeepAlive(): void;
  /** Hands the connection over to the app. */
  upgrade(): Duplex;
  /** All of the response has been passed to the output. */
  responseSent(): void;
  /** The response has failed after its head: the part that was sent must not look complete. */
  responseFailed(): void;
}

/** The request in progress, for the logs. */
export interface CurrentRequest {
  readonly request: ExchangeRequest;
  /** As in `performance.now()`. */
  readonly startedAt: number;
  /** Content received so far. */
  readonly bytesReceived: number;
  /** Content of the response sent so far; absent if it is not counted. */
  readonly bytesSent?: number;
  readonly record?: RecordedRequest;
}
