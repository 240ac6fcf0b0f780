/** The clients of a chaos run that a `Load` is not: pipelined requests, and WebSockets that send back what they get. */
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { AnswerReader, headerOf, MalformedAnswer } from "../support/answer-reader.ts";
import type { Exchange, Target } from "../support/load.ts";
import type { Loss } from "./attribution.ts";
import { openTo } from "./ways.ts";

/** The limit for a connection and for an answer, as in `traffic.ts`. */
const TIMEOUT_MS = 120_000;

export interface ClientEvents {
  /** Called for each right answer. */
  answered(): void;
  lost(loss: Loss): void;
  /** The losses that no fault explains. */
  wrong(text: string): void;
}

interface Watched {
  readonly socket: Socket;
  readonly ended: Promise<string>;
  /** The server, or the kernel for it, has taken the connection. */
  isConnected: boolean;
}

function open(target: Target): Watched {
  const { socket } = openTo(target);
  const ended = new Promise<string>((resolve) => {
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.once("end", () => resolve("end"));
    socket.once("close", () => resolve("close"));
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error("timed out")));
  });
  const watched: Watched = { socket, ended, isConnected: false };
  socket.once("connect", () => {
    watched.isConnected = true;
  });
  return watched;
}

/** Sends a few requests in one piece, and reads their answers in order. */
export class Pipelines {
  sent = 0;
  /** Requests that the server may leave undone: it had said that it closes. Their ids, to be looked up in the journal. */
  readonly undone: string[] = [];
  readonly #done: Promise<void>;
  #isStopped = false;

  constructor(target: Target, make: (number: number) => Exchange, events: ClientEvents) {
    this.#done = this.#run(target, make, events);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }

  async #run(target: Target, make: (number: number) => Exchange, events: ClientEvents): Promise<void> {
    while (!this.#isStopped) {
      const exchanges = Array.from({ length: 5 }, () => make(this.sent++));
      await this.#ask(target, exchanges, events);
      await pause(100);
    }
  }

  async #ask(target: Target, exchanges: readonly Exchange[], events: ClientEvents): Promise<void> {
    const since = Date.now();
    const watched = open(target);
    const { socket, ended } = watched;
    let at = 0;
    let pid: number | undefined;
    let reader = new AnswerReader(exchanges[0]?.method ?? "GET");
    const closed = new Promise<boolean>((resolve) => {
      socket.on("data", (bytes: Buffer) => {
        try {
          let rest = bytes;
          while (rest.length > 0 && at < exchanges.length) {
            reader.push(rest);
            if (!reader.complete) return;
            rest = reader.rest;
            const exchange = exchanges[at++] as Exchange;
            const fault = exchange.check(reader.answer);
            if (fault === undefined) events.answered();
            else events.wrong(`pipelined ${exchange.label}: ${fault}`);
            pid = Number(headerOf(reader.answer, "x-worker"));
            if (reader.answer.closes || at === exchanges.length) {
              if (rest.length > 0)
                events.wrong(`pipelined ${exchange.label}: ${rest.length} bytes after the last answer`);
              resolve(true);
              return;
            }
            reader = new AnswerReader(exchanges[at]?.method ?? "GET");
          }
        } catch (error) {
          if (!(error instanceof MalformedAnswer)) throw error;
          events.wrong(`pipelined ${exchanges[at]?.label}: ${error.message}`);
          resolve(true);
        }
      });
      void ended.then(() => resolve(false));
    });
    socket.write(Buffer.concat(exchanges.flatMap(({ parts }) => parts)));
    if (await closed) this.undone.push(...exchanges.slice(at).map(idOf));
    else {
      const how = `${await ended}, after ${at} of ${exchanges.length} answers, with ${reader.progress}`;
      const kind = watched.isConnected ? "reset" : "refused";
      // The request whose answer was due. Those behind it are lost with it, and a client may send them again.
      const id = kind === "refused" ? undefined : idOf(exchanges[at] as Exchange);
      events.lost({ client: "pipelined", kind, text: how, since, at: Date.now(), id, pid });
    }
    socket.destroy();
  }
}

export function idOf({ label }: Pick<Exchange, "label">): string {
  return /id=([\w.-]+)/.exec(label)?.[1] ?? "";
}

/** A WebSocket that sends a message every 50 ms and must get the same back, until its worker ends it. */
export class EchoSocket {
  connections = 0;
  readonly #done: Promise<void>;
  #isStopped = false;

  constructor(target: Target, events: ClientEvents) {
    this.#done = this.#run(target, events);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }

  async #run(target: Target, events: ClientEvents): Promise<void> {
    while (!this.#isStopped) {
      await this.#talk(target, events);
      await pause(50);
    }
  }

  async #talk(target: Target, events: ClientEvents): Promise<void> {
    const since = Date.now();
    const watched = open(target);
    const { socket, ended } = watched;
    const frames = new FrameReader();
    let pid: number | undefined;
    let number = 0;
    let isClosed = false;
    let awaited: { readonly text: string; readonly resolve: () => void } | undefined;
    socket.on("data", (bytes: Buffer) => {
      for (const { opcode, payload } of frames.push(bytes)) {
        if (opcode === 8) {
          isClosed = true;
          awaited?.resolve();
        } else if (pid === undefined) pid = Number(payload);
        else if (payload === awaited?.text) {
          events.answered();
          awaited.resolve();
        } else if (opcode === 1) events.wrong(`WebSocket of worker ${pid}: ${payload}, not ${awaited?.text}`);
      }
    });
    socket.write(
      "GET /socket HTTP/1.1\r\nHost: load.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`,
    );
    this.connections += 1;
    let over: string | undefined;
    void ended.then((how) => {
      over = how;
      awaited?.resolve();
    });
    while (over === undefined && !isClosed && !this.#isStopped) {
      if (pid !== undefined) {
        const text = `${pid}-${number++}-${"x".repeat((number * 37) % 100)}`;
        await new Promise<void>((resolve) => {
          awaited = { text, resolve };
          socket.write(textFrame(text));
        });
        awaited = undefined;
      }
      await pause(50);
    }
    if (!isClosed && over !== undefined) {
      const kind = watched.isConnected ? "reset" : "refused";
      events.lost({ client: "WebSocket", kind, text: over, since, at: Date.now(), id: undefined, pid });
    }
    socket.destroy();
  }
}

/** A masked text frame of at most 125 bytes (RFC 6455, 5.2). */
function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const mask = randomBytes(4);
  const masked = payload.map((byte, at) => byte ^ (mask[at % 4] as number));
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length]), mask, masked]);
}

/** Reads the frames that a server sends, which are short here, after the head of its response. */
class FrameReader {
  #pending = Buffer.alloc(0);
  #isUpgraded = false;

  push(bytes: Buffer): { readonly opcode: number; readonly payload: string }[] {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    if (!this.#isUpgraded) {
      const end = this.#pending.indexOf("\r\n\r\n");
      if (end === -1) return [];
      this.#isUpgraded = true;
      this.#pending = this.#pending.subarray(end + 4);
    }
    const frames = [];
    for (;;) {
      const [first = 0, length = 0] = this.#pending;
      if (this.#pending.length < 2 + length) return frames;
      const payload = this.#pending.subarray(2, 2 + length);
      frames.push({ opcode: first & 15, payload: payload.toString("latin1") });
      this.#pending = this.#pending.subarray(2 + length);
    }
  }
}
