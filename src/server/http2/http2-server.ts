/** Serves the connections of HTTP/2 of a server that accepts them. */
import { createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { MemberList } from "../member-list.ts";
import type { ConnectionStates, InFlightRequest } from "../server.ts";
import type { MakeSessionServer, SessionHost, SessionServer } from "../session-server.ts";
import { Session, type SessionContext, type SessionOwner } from "./session.ts";
import type { Excess } from "./session-budget.ts";
import type { ExchangeSession, SessionExchange } from "./session-exchange.ts";
import { StreamExchange } from "./stream-exchange.ts";

export interface Http2Options {
  /** Requests that a client may have open at once on a connection. */
  readonly maxConcurrentStreams: number;
  /** Bytes of content that a client may send ahead on each stream. */
  readonly initialWindowSize: number;
  /** The largest payload of a frame that is accepted, in bytes. */
  readonly maxFrameSize: number;
  /** Bytes of all fields of a request, uncompressed, with 32 for each. */
  readonly maxHeaderListSize: number;
  /** Reports a connection that was closed because its client has exceeded a budget. */
  readonly onExcess: (excess: Excess, remote: string) => void;
}

/** Fields that are no header fields of their own: pseudo-header fields, and the parts into which clients split cookies. */
const MORE_PAIRS = 128;

export interface ExchangeKind<Context> {
  /** Whether the app takes connections that change protocols (RFC 8441). */
  readonly upgrades: boolean;
  make(session: ExchangeSession<Context>, stream: ServerHttp2Stream): SessionExchange;
}

export class Http2Sessions<Context extends SessionContext>
  implements SessionServer<Context>, SessionOwner<Context>
{
  readonly host: SessionHost;
  readonly maxStreams: number;
  readonly maxHeaderList: number;
  lingerMs = 0;
  readonly #options: Http2Options;
  readonly #kind: ExchangeKind<Context>;
  readonly #server: Http2Server;
  readonly #sessions = new MemberList<Session<Context>>();

  constructor(host: SessionHost, options: Http2Options, kind: ExchangeKind<Context>) {
    this.host = host;
    this.#kind = kind;
    this.#options = options;
    this.maxStreams = options.maxConcurrentStreams;
    this.maxHeaderList = options.maxHeaderListSize;
    const { maxConcurrentStreams, initialWindowSize, maxFrameSize, maxHeaderListSize } = options;
    this.#server = createServer({
      settings: {
        maxConcurrentStreams,
        initialWindowSize,
        maxFrameSize,
        maxHeaderListSize,
        enablePush: false,
        enableConnectProtocol: kind.upgrades,
      },
      maxHeaderListPairs: host.options.limits.fields + MORE_PAIRS,
    });
    this.#server.on("sessionError", () => {});
    host.addOccupants({
      connections: this.#sessions,
      now: () => host.clock.exact,
      standing: (session, now) => session.standing(now),
      giveWay: (session, wait) => session.giveWay(wait),
    });
  }

  get size(): number {
    return this.#sessions.size;
  }

  states(): ConnectionStates {
    const states = { active: 0, idle: 0, upgraded: 0 };
    for (const { state } of this.#sessions) states[state] += 1;
    return states;
  }

  admit(socket: Socket, context: Context): void {
    this.host.onOpened(socket);
    const session = new Session<Context>(this, this.#server, socket, context);
    this.#sessions.add(session);
    if (this.host.draining) session.drain(this.lingerMs);
  }

  inFlight(): InFlightRequest[] {
    return [...this.#sessions].flatMap(({ inFlight }) => inFlight);
  }

  logUnfinished(): void {
    for (const session of this.#sessions) session.logUnfinished();
  }

  drain(lingerMs: number): void {
    this.lingerMs = lingerMs;
    for (const session of this.#sessions) session.drain(lingerMs);
  }

  checkDeadlines(passed: number): void {
    for (const session of this.#sessions) session.checkDeadlines(passed);
  }

  destroy(): void {
    for (const session of this.#sessions) session.destroy();
  }

  makeExchange(session: Session<Context>, stream: ServerHttp2Stream): SessionExchange {
    return this.#kind.make(session, stream);
  }

  onExcess(excess: Excess, session: Session<Context>): void {
    this.host.options.meter?.connectionFailed("http2_flood");
    this.#options.onExcess(excess, session.remote);
  }

  onClosed(session: Session<Context>): void {
    this.#sessions.delete(session);
    this.host.onClosed();
  }
}

export function http2Sessions(options: Http2Options): MakeSessionServer {
  return (host) =>
    new Http2Sessions(host, options, {
      upgrades: true,
      make: (session, stream) => new StreamExchange(host, session, stream),
    });
}
