/**
 * A server of one app in this process, on a Unix socket of its own, that one client at a time asks: whatever the app sees
 * comes from the bytes of that client.
 */

import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { Handler } from "../../../src/gateway/types.ts";
import { workerInfo } from "../../../src/interop/worker-info.ts";
import { probeHandles } from "../../../src/server/channel/handle-probe.ts";
import { GatewayServer } from "../../../src/server/engine/gateway-server.ts";
import { NodeServer } from "../../../src/server/node/node-server.ts";
import type { WorkerServer } from "../../../src/server/server.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from "../../../src/server/server-options.ts";
import { RawClient } from "../../support/engine.ts";
import type { Random } from "../../support/random.ts";
import { connectTo, listenBehindFront, OVER_TLS, tlsFront } from "../../support/tls-front.ts";
import type { ReadRequest } from "../corpus.ts";
import { CORPUS_LIMITS } from "../drive.ts";
import { TlsClients } from "./tls-client.ts";

/** A request as an app saw it. */
export type SeenRequest = Omit<ReadRequest, "upgrade" | "expectContinue">;

/** The outcome of one connection. */
export interface Outcome {
  /** The requests whose content the app has read to the end, in order. */
  readonly seen: readonly SeenRequest[];
  /** The requests that the app got, whole or not. */
  readonly begun: readonly { method: string; target: string }[];
  /** All bytes that came back. */
  readonly received: string;
}

/** A request that the app has got. */
interface BegunRequest {
  readonly method: string;
  readonly target: string;
  whole: SeenRequest | undefined;
}

export type ServerKind = "gateway" | "node";

/** The content of a response names its request. */
export function answerTo(request: { method: string; target: string }): string {
  return `${request.method} ${request.target}`;
}

function pairs(raw: readonly string[]): [string, string][] {
  return raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1] as string] as [string, string]] : []));
}

/** Without a byte from a server on the same machine. */
const QUIET_MS = 25;

export class SocketLane {
  readonly #kind: ServerKind;
  #where: number | { path: string };
  readonly #server: WorkerServer;
  #begun: BegunRequest[] = [];
  #answered: BegunRequest[] = [];
  #reported: Error[] = [];

  #tls: TlsClients | undefined;

  private constructor(kind: ServerKind, path: string, secure: boolean) {
    this.#kind = kind;
    this.#where = { path };
    const settings = {
      limits: { ...DEFAULT_LIMITS, ...CORPUS_LIMITS },
      timeouts: DEFAULT_TIMEOUTS,
      onError: (error: Error) => {
        this.#reported.push(error);
      },
      onAcceptError: (error: Error) => {
        throw error;
      },
      ...(secure && { front: tlsFront() }),
    };
    const worker = workerInfo({ slot: 1, generation: 1, drain: new AbortController().signal });
    this.#server =
      kind === "gateway"
        ? new GatewayServer({ handle: this.#handle }, { ...settings, worker, state: undefined })
        : new NodeServer({ ...settings, listener: this.#listen, upgrade: undefined });
  }

  /** @param secure its clients connect by TLS, and cut its records anywhere */
  static async open(kind: ServerKind, path: string, secure = false): Promise<SocketLane> {
    await probeHandles();
    const lane = new SocketLane(kind, path, secure || OVER_TLS);
    if (secure || OVER_TLS) {
      const port = await listenBehindFront(lane.#server);
      lane.#where = port;
      if (secure) lane.#tls = new TlsClients(port);
    } else if (lane.#server instanceof GatewayServer) {
      const listener = createServer({ allowHalfOpen: true }).listen(path);
      await once(listener, "listening");
      lane.#server.adopt(listener);
      lane.#closeListener = () => listener.close();
    } else {
      await lane.#server.open(async (server) => {
        server.listen(path);
        await once(server, "listening");
      });
    }
    return lane;
  }

  #closeListener = (): void => {};

  #begin(method: string, target: string): BegunRequest {
    const begun: BegunRequest = { method, target, whole: undefined };
    this.#begun.push(begun);
    return begun;
  }

  readonly #handle: Handler = async (request, respond) => {
    const { method, target, httpVersion } = request;
    const begun = this.#begin(method, target);
    const body = Buffer.from(await request.body.bytes()).toString("latin1");
    const headers = pairs(request.rawHeaders);
    const trailers = pairs(request.rawTrailers);
    begun.whole = { method, target, httpVersion: httpVersion as "1.1", headers, body, trailers };
    respond(200, {}, answerTo({ method, target }));
  };

  readonly #listen = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = "", url: target = "" } = request;
    const begun = this.#begin(method, target);
    let body = "";
    try {
      for await (const piece of request) body += (piece as Buffer).toString("latin1");
    } catch {
      return;
    }
    begun.whole = {
      method,
      target,
      httpVersion: request.httpVersion as "1.1",
      headers: pairs(request.rawHeaders),
      body,
      trailers: pairs(request.rawTrailers),
    };
    const content = Buffer.from(answerTo({ method, target }), "latin1");
    response.setHeader("Content-Length", content.length);
    // Responses go out in the order of the requests, in whatever order an app handles these.
    response.once("finish", () => this.#answered.push(begun));
    response.end(content);
  };

  /** Forgets what the app has seen. */
  reset(): void {
    this.#begun = [];
    this.#answered = [];
    this.#reported = [];
  }

  /** The requests that the app has seen since the last reset. */
  get outcome(): Omit<Outcome, "received"> {
    const unexpected = this.#reported.find((error) => error.name !== "BodyError");
    if (unexpected !== undefined) throw unexpected;
    const begun = [...new Set([...this.#answered, ...this.#begun])];
    return { begun, seen: begun.flatMap(({ whole }) => (whole === undefined ? [] : [whole])) };
  }

  /**
   * Sends the pieces and then the end, and waits until the server has closed the connection.
   *
   * @param random cuts what TLS makes of the pieces; undefined: nothing does
   */
  async ask(pieces: Iterable<Uint8Array>, random?: Random): Promise<Outcome> {
    this.reset();
    const socket = await (this.#tls?.connect(random) ?? connectTo(this.#where, true));
    const client = new RawClient(socket);
    for (const piece of pieces) {
      if (client.ended) break;
      client.send(piece);
      await new Promise(setImmediate);
    }
    // Node's server takes the end of TLS, which comes with the last bytes, for that of the connection.
    if (this.#tls !== undefined && this.#kind === "node") await this.#idle(client);
    socket.end();
    const received = await client.rest();
    return { ...this.outcome, received };
  }

  /** Waits until nothing has come for a while: how many responses are due, only the check can tell. */
  async #idle(client: RawClient): Promise<void> {
    for (let quiet = 0, length = 0; quiet < QUIET_MS && !client.ended; quiet += 1) {
      if (client.received.length > length) quiet = 0;
      length = client.received.length;
      await pause(1);
    }
  }

  close(): void {
    this.#closeListener();
    this.#server.destroy();
  }
}
