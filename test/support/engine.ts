/** Starts the gateway engine in this process, on a free port, and talks to it in raw bytes. */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { Arrivals } from "../../src/conformance/arrivals.ts";
import type { App, Handler } from "../../src/gateway/types.ts";
import { workerInfo } from "../../src/interop/worker-info.ts";
import { probeHandles } from "../../src/server/channel/handle-probe.ts";
import { GatewayServer } from "../../src/server/engine/gateway-server.ts";
import type { Front } from "../../src/server/front/front.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS, type EngineOptions } from "../../src/server/server-options.ts";
import { connectTo, OVER_TLS, tlsFront } from "./tls-front.ts";

export interface Engine {
  readonly port: number;
  readonly server: GatewayServer;
  /** Errors that the engine reported, in order. */
  readonly errors: Error[];
  connect(): Promise<RawClient>;
  /** Sends everything, ends the sending side, and returns all that comes back. */
  exchange(bytes: string | Uint8Array): Promise<string>;
}

export async function startEngine(
  test: TestContext,
  app: App | Handler,
  options: Partial<EngineOptions> = {},
): Promise<Engine> {
  // A worker's first connections come before it.
  await probeHandles();
  const errors: Error[] = [];
  const makeFront = OVER_TLS ? tlsFront() : options.front;
  let front: Front | undefined;
  const drain = new AbortController();
  const server = new GatewayServer(typeof app === "function" ? { handle: app } : app, {
    limits: DEFAULT_LIMITS,
    timeouts: DEFAULT_TIMEOUTS,
    worker: workerInfo({ slot: 1, generation: 1, drain: drain.signal }),
    state: undefined,
    onError: (error) => errors.push(error),
    onAcceptError: (error) => errors.push(error),
    ...options,
    ...(makeFront !== undefined && {
      front: (limiter) => {
        front = makeFront(limiter);
        return front;
      },
    }),
  });
  const listener = createServer({ allowHalfOpen: true, pauseOnConnect: makeFront !== undefined }).listen(
    0,
    "127.0.0.1",
  );
  await once(listener, "listening");
  server.adopt(listener, front, options.gate);
  test.after(() => {
    listener.close();
    server.destroy();
  });
  const { port } = listener.address() as { port: number };
  const client = async (): Promise<RawClient> => {
    return new RawClient(await connectTo(port, true));
  };
  return {
    port,
    server,
    errors,
    connect: client,
    exchange: async (bytes) => {
      const raw = await client();
      raw.socket.end(bytes);
      return raw.rest();
    },
  };
}

/** The limit for each wait; far more than any takes. */
const DEADLINE_MS = 20_000;

/** A client that sends and sees bytes. */
export class RawClient {
  readonly socket: Socket;
  /** Every byte so far, as Latin-1. */
  received = "";
  /** True once the other side has ended or broken the connection. */
  ended = false;
  readonly #arrivals = new Arrivals();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      this.received += text;
      this.#arrivals.notify();
    });
    socket.on("error", () => {});
    for (const event of ["end", "close"]) {
      socket.on(event, () => {
        this.ended = true;
        this.#arrivals.notify();
      });
    }
  }

  send(bytes: string | Uint8Array): void {
    if (typeof bytes === "string") this.socket.write(bytes, "latin1");
    else this.socket.write(bytes);
  }

  /** Waits until what was received fits, and returns it; fails at the deadline or the end of the connection. */
  async until(
    fits: (received: string) => boolean,
    what = "the expected bytes",
    milliseconds = DEADLINE_MS,
  ): Promise<string> {
    await this.#arrivals.until(() => fits(this.received) || this.ended, milliseconds);
    if (!fits(this.received)) {
      const received = JSON.stringify(this.received);
      throw new Error(`waited in vain for ${what}; ended: ${this.ended}; received: ${received}`);
    }
    return this.received;
  }

  /** Everything until the other side ends. */
  async rest(milliseconds = DEADLINE_MS): Promise<string> {
    if (!(await this.#arrivals.until(() => this.ended, milliseconds)))
      throw new Error(`the connection was not closed; received: ${JSON.stringify(this.received)}`);
    this.socket.destroy();
    return this.received;
  }
}

/** The status codes of the answers in `received`, informational ones included. */
export function statuses(received: string): number[] {
  return [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
}
