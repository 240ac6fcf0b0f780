/** Passes connections on to a server, and keeps the bytes that it passes on: what a proxy has really sent. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** The bytes that a proxy has sent on one connection since the last `take`. */
export interface SentBytes {
  readonly bytes: Buffer;
  /** Whether the connection is closed by now. */
  readonly closed: boolean;
}

interface Passed {
  chunks: Buffer[];
  closed: boolean;
}

export class Tee {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #connections: Passed[] = [];

  private constructor(to: string) {
    this.#server = createServer({ allowHalfOpen: true }, (from) => {
      const passed: Passed = { chunks: [], closed: false };
      this.#connections.push(passed);
      const onward = connect({ path: to, allowHalfOpen: true });
      from.on("data", (chunk: Buffer) => {
        passed.chunks.push(chunk);
        onward.write(chunk);
      });
      onward.on("data", (chunk: Buffer) => from.write(chunk));
      onward.on("close", () => {
        passed.closed = true;
      });
      for (const [one, other] of [
        [from, onward],
        [onward, from],
      ] as const) {
        this.#sockets.add(one);
        one.on("end", () => other.end());
        one.on("error", () => other.destroy());
        one.on("close", () => {
          this.#sockets.delete(one);
          other.destroySoon();
        });
      }
    });
  }

  static async listen(at: string, to: string): Promise<Tee> {
    const tee = new Tee(to);
    tee.#server.listen(at);
    await once(tee.#server, "listening");
    return tee;
  }

  /** The bytes that each connection has carried since the last reset, in the order of the connections. */
  get sent(): SentBytes[] {
    return this.#connections
      .filter(({ chunks }) => chunks.length > 0)
      .map(({ chunks, closed }) => ({ bytes: Buffer.concat(chunks), closed }));
  }

  /** Forgets what has been sent, and the connections that are closed. */
  reset(): void {
    this.#connections = this.#connections.filter(({ closed }) => !closed);
    for (const passed of this.#connections) passed.chunks = [];
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
