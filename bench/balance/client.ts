/** A client of bench:balance on a connection that it keeps: asks at a pace, and connects again when told to close. */
import { connect, type Socket } from "node:net";

const REQUEST = "GET /pid HTTP/1.1\r\nHost: bench\r\n\r\n";

export interface Tally {
  /** Answers by the pid of the worker. */
  readonly answers: Map<number, number>;
  /** Milliseconds from connecting to the first answer of each connection. */
  readonly firstAnswers: number[];
  reconnects: number;
}

export class KeptClient {
  readonly #port: number;
  readonly #paceMs: number;
  readonly #tally: Tally;
  #socket: Socket | undefined;
  #ended = false;
  /** The worker of the current connection; 0 until it has answered. */
  worker = 0;

  constructor(port: number, paceMs: number, tally: Tally) {
    this.#port = port;
    this.#paceMs = paceMs;
    this.#tally = tally;
    this.#open();
  }

  #open(): void {
    if (this.#ended) return;
    this.worker = 0;
    const startedAt = performance.now();
    const socket = connect({ port: this.#port, host: "127.0.0.1", noDelay: true });
    this.#socket = socket;
    socket.setEncoding("latin1").on("connect", () => socket.write(REQUEST));
    socket.on("data", (text: string) => {
      const worker = Number(/(\d+)\n$/.exec(text)?.[1]);
      if (this.worker === 0) this.#tally.firstAnswers.push(performance.now() - startedAt);
      this.worker = worker;
      this.#tally.answers.set(worker, (this.#tally.answers.get(worker) ?? 0) + 1);
      if (/\r\nConnection: close\r\n/i.test(text)) socket.end();
      else setTimeout(() => socket.writable && socket.write(REQUEST), this.#paceMs);
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      if (!this.#ended) this.#tally.reconnects += 1;
      this.#open();
    });
  }

  end(): void {
    this.#ended = true;
    this.#socket?.destroy();
  }
}
