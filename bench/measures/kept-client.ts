/** A client on a connection that it keeps: asks for the worker's pid at a pace, and connects again when told to close. */
import { connect, type Socket } from "node:net";

const REQUEST = "GET /pid HTTP/1.1\r\nHost: bench\r\n\r\n";

export interface Tally {
  /** Answers by the pid of the worker. */
  readonly answers: Map<number, number>;
  /** Milliseconds from connecting to the first answer of each connection. */
  readonly firstAnswers: number[];
  reconnects: number;
}

export const newTally = (): Tally => ({ answers: new Map(), firstAnswers: [], reconnects: 0 });

export class KeptClient {
  readonly #port: number;
  readonly #paceMs: number;
  readonly #tally: Tally;
  #socket: Socket | undefined;
  #hasEnded = false;
  #hasAnswer = false;

  constructor(port: number, paceMs: number, tally: Tally) {
    this.#port = port;
    this.#paceMs = paceMs;
    this.#tally = tally;
    this.#open();
  }

  #open(): void {
    if (this.#hasEnded) return;
    this.#hasAnswer = false;
    const startedAt = performance.now();
    const socket = connect({ port: this.#port, host: "127.0.0.1", noDelay: true });
    this.#socket = socket;
    socket.setEncoding("latin1").on("connect", () => socket.write(REQUEST));
    socket.on("data", (text: string) => {
      const worker = Number(/\r\n\r\n(\d+)$/.exec(text)?.[1]);
      if (!this.#hasAnswer) this.#tally.firstAnswers.push(performance.now() - startedAt);
      this.#hasAnswer = true;
      this.#tally.answers.set(worker, (this.#tally.answers.get(worker) ?? 0) + 1);
      if (/\r\nConnection: close\r\n/i.test(text)) socket.end();
      else setTimeout(() => socket.writable && socket.write(REQUEST), this.#paceMs);
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      if (!this.#hasEnded) this.#tally.reconnects += 1;
      this.#open();
    });
  }

  end(): void {
    this.#hasEnded = true;
    this.#socket?.destroy();
  }
}
