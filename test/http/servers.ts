/** Runs the corpus against servers whose apps treat the content in different ways, and records responses and times. */
import { once } from "node:events";
import type { RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { Handler } from "../../src/gateway/types.ts";
import { fromFetch } from "../../src/interop/fetch.ts";
import { workerInfo } from "../../src/interop/worker-info.ts";
import { probeHandles } from "../../src/server/channel/handle-probe.ts";
import { GatewayServer } from "../../src/server/engine/gateway-server.ts";
import { NodeServer } from "../../src/server/node/node-server.ts";
import type { WorkerServer } from "../../src/server/server.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS, type ErrorReporter } from "../../src/server/server-options.ts";
import { RawClient, statuses } from "../support/engine.ts";
import { adopted } from "../support/node-engine.ts";
import { connectTo, listenBehindFront, OVER_TLS, tlsFront } from "../support/tls-front.ts";
import type { CorpusCase } from "./corpus.ts";
import { CORPUS_LIMITS } from "./drive.ts";

/** How an app treats the content of its request. */
export const MANNERS = ["reads", "ignores", "swallows", "never settles", "has responded"] as const;
export type Manner = (typeof MANNERS)[number];

/** "adopted": a server that the app made itself. */
export const KINDS = ["gateway", "fetch", "node", "adopted"] as const;
export type Kind = (typeof KINDS)[number];

/** Whether node's parser reads the requests. */
export function isOnNode(kind: Kind): boolean {
  return kind === "node" || kind === "adopted";
}

/** For an app that ignores the error and neither responds nor settles. */
const NEVER = new Promise<never>(() => {});

const GATEWAY: Record<Manner, Handler> = {
  reads: async (request, respond) => {
    await request.body.bytes();
    respond(200, {}, "read");
  },
  ignores: (_request, respond) => {
    respond(200, {}, "ignored");
  },
  swallows: async (request, respond) => {
    try {
      await request.body.bytes();
    } catch {
      return;
    }
    respond(200, {}, "read");
  },
  "never settles": async (request, respond) => {
    try {
      await request.body.bytes();
    } catch {
      await NEVER;
    }
    respond(200, {}, "read");
  },
  "has responded": async (request, respond) => {
    const body = request.body.bytes();
    respond(200, {}, "answered");
    await body.catch(() => {});
  },
};

const FETCH: Record<Manner, (request: Request) => Promise<Response>> = {
  reads: async (request) => {
    await request.arrayBuffer();
    return new Response("read");
  },
  ignores: async () => new Response("ignored"),
  swallows: async (request) => {
    try {
      await request.arrayBuffer();
    } catch {
      return undefined as never;
    }
    return new Response("read");
  },
  "never settles": async (request) => {
    try {
      await request.arrayBuffer();
    } catch {
      await NEVER;
    }
    return new Response("read");
  },
  "has responded": async (request) => {
    request.arrayBuffer().catch(() => {});
    return new Response("answered");
  },
};

async function drained(request: AsyncIterable<unknown>): Promise<void> {
  for await (const _piece of request);
}

const NODE: Record<Manner, RequestListener> = {
  reads: async (request, response) => {
    await drained(request);
    response.end("read");
  },
  ignores: (_request, response) => {
    response.end("ignored");
  },
  swallows: async (request, response) => {
    try {
      await drained(request);
    } catch {
      return;
    }
    response.end("read");
  },
  "never settles": async (request, response) => {
    try {
      await drained(request);
    } catch {
      await NEVER;
    }
    response.end("read");
  },
  "has responded": async (request, response) => {
    response.end("answered");
    await drained(request).catch(() => {});
  },
};

export interface RunningServer {
  readonly port: number;
  /** Errors reported for requests, in order. */
  readonly reported: Error[];
  close(): void;
}

/** Starts a server in this process with an app of this kind and manner. */
export async function startServer(kind: Kind, manner: Manner): Promise<RunningServer> {
  const reported: Error[] = [];
  const onError: ErrorReporter = (error) => reported.push(error);
  const onAcceptError = (error: Error): void => {
    throw error;
  };
  const limits = { ...DEFAULT_LIMITS, ...CORPUS_LIMITS };
  const settings = {
    ...{ limits, timeouts: DEFAULT_TIMEOUTS, onError, onAcceptError },
    ...(OVER_TLS && { front: tlsFront() }),
  };
  const worker = workerInfo({ slot: 1, generation: 1, drain: new AbortController().signal });
  const handle = kind === "fetch" ? fromFetch(FETCH[manner]) : GATEWAY[manner];
  const server: WorkerServer =
    kind === "node"
      ? new NodeServer({ ...settings, listener: NODE[manner], upgrade: undefined })
      : kind === "adopted"
        ? new NodeServer({ ...settings, adopted: adopted(NODE[manner]) })
        : new GatewayServer({ handle }, { ...settings, worker, state: undefined });
  if (OVER_TLS) {
    await probeHandles();
    return { port: await listenBehindFront(server), reported, close: () => server.destroy() };
  }
  let port = 0;
  await server.open(async (tcp) => {
    tcp.listen(0, "127.0.0.1");
    await once(tcp, "listening");
    port = (tcp.address() as AddressInfo).port;
  });
  return { port, reported, close: () => server.destroy() };
}

/** The responses that a client received on one connection. */
export interface Received {
  /** Statuses of the final responses, in order. */
  readonly statuses: readonly number[];
  /** Whether the server closed the connection. */
  readonly closed: boolean;
  /** Milliseconds until the last byte or the end. */
  readonly after: number;
}

/** Maximum time until a response. */
export const MAX_RESPONSE_MS = 2000;
/** A server that sends nothing for this time has sent everything. */
const QUIET_MS = 60;
/** The same for a malformed request that the server is known to leave open: it might still refuse it. */
const MALFORMED_QUIET_MS = 300;

/**
 * Time in which this process, server and clients, could run: a busy machine that stops it does not make the server
 * slow.
 */
let runningMs = 0;
const TICK_MS = 5;
setInterval(() => {
  runningMs += TICK_MS;
}, TICK_MS).unref();

/**
 * Sends the bytes of a case, and closes the sending side if the client disconnects within a request.
 * @param openAfter how many responses the server gives before it waits for more, if it is known to wait
 */
export async function ask(port: number, item: CorpusCase, openAfter?: number): Promise<Received> {
  const socket = await connectTo(port, true);
  const client = new RawClient(socket);
  const startedAt = runningMs;
  let after = 0;
  const mark = (): void => {
    after = runningMs - startedAt;
  };
  socket.on("data", mark).on("end", mark);
  client.send(item.bytes);
  if (item.ending === "incomplete") socket.end();
  const final = (): number[] => statuses(client.received).filter((status) => status >= 200);
  const staysOpen = item.ending === "open" || item.ending === "upgrade";
  const responses = staysOpen ? item.requests.length : openAfter;
  const quiet = staysOpen ? QUIET_MS : MALFORMED_QUIET_MS;
  while (!client.ended) {
    const now = runningMs - startedAt;
    if (now > MAX_RESPONSE_MS * 2) break;
    if (responses !== undefined && now - after > quiet && final().length >= responses) break;
    await pause(10);
  }
  socket.destroy();
  return { statuses: final(), closed: client.ended, after };
}

/** Runs `work` for each item, many at a time. Returns the results in order. */
export async function each<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items.length) {
      const at = next;
      next += 1;
      results[at] = await work(items[at] as Item);
    }
  };
  await Promise.all(Array.from({ length: 128 }, lane));
  return results;
}
