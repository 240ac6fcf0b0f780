/**
 * One raw connection of the load: one request at a time, with its response read to the last byte. Nothing is retried,
 * and every other outcome has a name.
 */
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { AnswerReader, MalformedAnswer, type ReceivedAnswer } from "./answer-reader.ts";
import { type ClientTls, isCutOff } from "./client-tls.ts";

export type Target = ({ readonly port: number; readonly host?: string } | { readonly path: string }) & {
  /** Undefined: the connection is in the clear. */
  readonly tls?: ClientTls | undefined;
};

/** A connection that was not opened. Over TLS it may have been accepted, and cut off in the handshake. */
export class OpenError extends Error {
  override readonly name = "OpenError";
  readonly kind: "refused" | "reset" | "wrong";

  constructor(cause: Error, isConnected: boolean) {
    super(cause.message, { cause });
    this.kind = isConnected ? (isCutOff(cause) ? "reset" : "wrong") : "refused";
  }
}

/** A request as bytes, and the check of its response. */
export interface Exchange {
  /** For a failure: which request it was. */
  readonly label: string;
  readonly method: string;
  /** Written one after the other, with a moment between them. */
  readonly parts: readonly Buffer[];
  /** Returns what is wrong with the response, or undefined. */
  check(answer: ReceivedAnswer): string | undefined;
}

/** How a request can fail that was sent. */
export type Loss = "reset" | "wrong" | "truncated" | "timedOut";

export type Outcome =
  | { readonly kind: "answered"; readonly answer: ReceivedAnswer }
  | { readonly kind: Loss; readonly why: string };

/** Between two parts of a request, in milliseconds: long enough to be two reads on the other side. */
const BETWEEN_PARTS = 2;

/** How the other side ended the connection. */
interface Ending {
  readonly kind: "reset" | "truncated";
  readonly text: string;
}

export class LoadConnection {
  readonly #socket: Socket;
  #reader: AnswerReader | undefined;
  #settle: ((outcome: Outcome) => void) | undefined;
  #ending: Ending | undefined;
  /** Bytes that came while nothing was asked. */
  stray: Buffer = Buffer.alloc(0);
  /** How many requests have been sent on it. */
  requests = 0;
  /** The process that responds on this connection, from X-Worker. */
  worker: number | undefined;

  /**
   * Rejects if the connection is not established in time.
   * @throws OpenError
   */
  static open({ tls, ...target }: Target, milliseconds: number): Promise<LoadConnection> {
    return new Promise((resolve, reject) => {
      const where = { ...target, noDelay: true };
      const socket = tls === undefined ? connect(where) : tls.connect(where);
      let isConnected = false;
      socket.once("connect", () => {
        isConnected = true;
      });
      const timer = setTimeout(
        () => socket.destroy(new Error(`no connection in ${milliseconds} ms`)),
        milliseconds,
      );
      const failed = (error: Error): void => {
        clearTimeout(timer);
        reject(new OpenError(error, isConnected));
      };
      socket.once("error", failed);
      socket.once(tls === undefined ? "connect" : "secureConnect", () => {
        clearTimeout(timer);
        socket.off("error", failed);
        resolve(new LoadConnection(socket));
      });
    });
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    socket.on("end", () => this.#end({ kind: "truncated", text: "the server closed the connection" }));
    socket.on("error", (error) => this.#end({ kind: "reset", text: error.message }));
    socket.on("close", () => this.#end({ kind: "truncated", text: "the connection is closed" }));
  }

  /** The other side has ended it. */
  get over(): boolean {
    return this.#ending !== undefined;
  }

  /** For a failure: the connection as one can find it in a server's log. */
  get name(): string {
    const from = this.#socket.localPort === undefined ? "a Unix socket" : `port ${this.#socket.localPort}`;
    return `request ${this.requests} on ${from}${this.worker === undefined ? "" : ` of worker ${this.worker}`}`;
  }

  /** Sends the request and waits for its response. After any other outcome than a response, call `close`. */
  exchange(exchange: Exchange, milliseconds: number): Promise<Outcome> {
    this.requests += 1;
    const reader = new AnswerReader(exchange.method);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#settle?.({ kind: "timedOut", why: `${reader.progress} within ${milliseconds} ms` });
      }, milliseconds);
      this.#reader = reader;
      this.#settle = (outcome) => {
        clearTimeout(timer);
        this.#reader = undefined;
        this.#settle = undefined;
        resolve(outcome);
      };
      void this.#send(exchange.parts);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  async #send(parts: readonly Buffer[]): Promise<void> {
    for (const [at, part] of parts.entries()) {
      if (at > 0) await pause(BETWEEN_PARTS);
      // The response, or the end, may have come first.
      if (this.#settle === undefined) return;
      this.#socket.write(part);
    }
  }

  #take(bytes: Buffer): void {
    const reader = this.#reader;
    if (reader === undefined) {
      this.stray = Buffer.concat([this.stray, bytes]);
      return;
    }
    try {
      reader.push(bytes);
    } catch (error) {
      if (!(error instanceof MalformedAnswer)) throw error;
      this.#settle?.({ kind: "wrong", why: error.message });
      return;
    }
    if (!reader.complete) return;
    const { answer, rest } = reader;
    const worker = answer.headers.find((header) => header[0] === "x-worker")?.[1];
    if (worker !== undefined) this.worker = Number(worker);
    if (rest.length > 0) {
      const why = `${rest.length} bytes after the answer: ${JSON.stringify(rest.toString("latin1", 0, 80))}`;
      this.#settle?.({ kind: "wrong", why });
    } else {
      this.#settle?.({ kind: "answered", answer });
    }
  }

  #end(ending: Ending): void {
    this.#ending ??= ending;
    this.#settle?.({ kind: ending.kind, why: `${ending.text}, with ${this.#reader?.progress}` });
  }
}
