/**
 * A steady load: a few clients on raw sockets, each sending one POST after the other and checking every
 * answer. Nothing is tried again: what fails is counted, by how it failed.
 */
import { connect, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

export type Target = { readonly port: number; readonly host?: string } | { readonly path: string };

export interface LoadOptions {
  readonly clients?: number;
  /** Whether connections are used again. */
  readonly keepAlive: boolean;
}

/** No answer takes this long, in milliseconds. */
const DEADLINE = 20_000;

/** Between two requests of a client, in milliseconds: the machine belongs to the server too. */
const GAP = 2;

export class Load {
  answered = 0;
  /** Connections that nobody took. */
  readonly refused: string[] = [];
  /** Requests whose answer did not come, or not whole. */
  readonly broken: string[] = [];
  /** Answers that are not the right ones. */
  readonly wrong: string[] = [];
  /** The workers that answered. */
  readonly workers = new Set<number>();
  readonly #target: Target;
  readonly #keepAlive: boolean;
  readonly #clients: Promise<void>[];
  #stopped = false;

  /** The server must run the echo fixture. The load ends with the test, if it is not stopped before. */
  constructor(test: TestContext, target: Target, options: LoadOptions) {
    test.after(() => {
      this.#stopped = true;
    });
    this.#target = target;
    this.#keepAlive = options.keepAlive;
    this.#clients = Array.from({ length: options.clients ?? 4 }, (_, number) => this.#run(number));
  }

  get failures(): string[] {
    return [...this.refused, ...this.broken, ...this.wrong];
  }

  /** Ends behind the answers that are under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
  }

  async #run(client: number): Promise<void> {
    let connection: Connection | undefined;
    for (let number = 0; !this.#stopped; number++) {
      if (connection === undefined) {
        connection = await this.#connect();
        if (connection === undefined) continue;
      }
      connection = await this.#ask(connection, `client ${client} request ${number}`);
      await pause(GAP);
    }
    connection?.socket.destroy();
  }

  async #connect(): Promise<Connection | undefined> {
    try {
      return await Connection.open(this.#target);
    } catch (error) {
      this.refused.push((error as Error).message);
      await pause(GAP);
      return undefined;
    }
  }

  /** Returns the connection if it can be used again. */
  async #ask(connection: Connection, text: string): Promise<Connection | undefined> {
    const { socket } = connection;
    socket.write(
      `POST / HTTP/1.1\r\nHost: load\r\nContent-Length: ${text.length}\r\n` +
        `${this.#keepAlive ? "" : "Connection: close\r\n"}\r\n${text}`,
    );
    try {
      const { head, body } = await connection.answer();
      const [, pid, echoed] = /^(\d+) (.*)$/.exec(body) ?? [];
      if (!head.startsWith("HTTP/1.1 200 ") || echoed !== text) this.wrong.push(`${text}: ${head} ${body}`);
      this.answered += 1;
      this.workers.add(Number(pid));
      if (this.#keepAlive && !/\r\nconnection: close/i.test(head)) return connection;
    } catch (error) {
      this.broken.push(`${text}: ${(error as Error).message}`);
    }
    socket.destroy();
    return undefined;
  }
}

/** One connection, read one answer at a time. */
class Connection {
  readonly socket: Socket;
  #received = "";
  #over: string | undefined;
  #wake: (() => void) | undefined;

  static open(target: Target): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(target);
      socket.once("error", reject);
      socket.once("connect", () => resolve(new Connection(socket)));
    });
  }

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("latin1");
    socket.setTimeout(DEADLINE, () => socket.destroy(new Error("the answer did not come")));
    socket.on("data", (text: string) => {
      this.#received += text;
      this.#wake?.();
    });
    socket.on("error", (error) => {
      this.#over = error.message;
    });
    socket.on("close", () => {
      this.#over ??= "closed";
      this.#wake?.();
    });
  }

  /** An answer with a Content-Length. */
  async answer(): Promise<{ head: string; body: string }> {
    for (;;) {
      const end = this.#received.indexOf("\r\n\r\n");
      const head = this.#received.slice(0, end);
      const whole = end + 4 + Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
      if (end !== -1 && this.#received.length >= whole) {
        const body = this.#received.slice(end + 4, whole);
        this.#received = this.#received.slice(whole);
        return { head, body };
      }
      if (this.#over !== undefined)
        throw new Error(`${this.#over}, received ${JSON.stringify(this.#received)}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
