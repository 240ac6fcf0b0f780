/** Starts the gateway engine in this process, on a free port, and talks to it in raw bytes. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import type { App, Handler } from "../../src/gateway/types.ts";
import { GatewayServer } from "../../src/server/engine/gateway-server.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS, type EngineOptions } from "../../src/server/server-options.ts";

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
  const errors: Error[] = [];
  const drain = new AbortController();
  const server = new GatewayServer(typeof app === "function" ? { handle: app } : app, {
    limits: DEFAULT_LIMITS,
    timeouts: DEFAULT_TIMEOUTS,
    worker: { pid: process.pid, slot: 1, generation: 1, drain: drain.signal },
    state: undefined,
    onError: (error) => errors.push(error),
    onAcceptError: (error) => errors.push(error),
    ...options,
  });
  const listener = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  server.adopt(listener);
  test.after(() => {
    listener.close();
    server.destroy();
  });
  const { port } = listener.address() as { port: number };
  const client = async (): Promise<RawClient> => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    await once(socket, "connect");
    return new RawClient(socket);
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

/** How long the expected may take, in milliseconds; far more than it ever takes. */
const DEADLINE = 20_000;

/** A client that sends and sees bytes. */
export class RawClient {
  readonly socket: Socket;
  received = "";
  ended = false;
  #waiting: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      this.received += text;
      this.#wake();
    });
    socket.on("end", () => {
      this.ended = true;
      this.#wake();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.ended = true;
      this.#wake();
    });
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  send(bytes: string | Uint8Array): void {
    if (typeof bytes === "string") this.socket.write(bytes, "latin1");
    else this.socket.write(bytes);
  }

  /** Waits until what was received fits; fails with what was received when the deadline passes. */
  async until(
    fits: (received: string) => boolean,
    what = "the expected bytes",
    milliseconds = DEADLINE,
  ): Promise<string> {
    const deadline = Date.now() + milliseconds;
    while (!fits(this.received)) {
      const left = deadline - Date.now();
      if (left <= 0 || this.ended) {
        throw new Error(
          `waited in vain for ${what}; ended: ${this.ended}; received: ${JSON.stringify(this.received)}`,
        );
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return this.received;
  }

  /** Everything until the other side ends. */
  async rest(milliseconds = DEADLINE): Promise<string> {
    const deadline = Date.now() + milliseconds;
    while (!this.ended) {
      const left = deadline - Date.now();
      if (left <= 0)
        throw new Error(`the connection was not closed; received: ${JSON.stringify(this.received)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    this.socket.destroy();
    return this.received;
  }
}

/** The status codes of the answers in `received`, informational ones included. */
export function statuses(received: string): number[] {
  return [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
}
