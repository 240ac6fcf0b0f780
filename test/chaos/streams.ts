/** A client of a chaos run that speaks HTTP/2: several requests at once on a session, which it leaves when GOAWAY says so. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { setTimeout as pause } from "node:timers/promises";
import type { ReceivedAnswer } from "../support/answer-reader.ts";
import { isCutOff } from "../support/client-tls.ts";
import type { MirroredExchange } from "../support/exchanges.ts";
import type { Target } from "../support/load.ts";
import { type ClientEvents, idOf } from "./clients.ts";
import { openTo } from "./ways.ts";

const LANES = 4;
/** Between two requests of a lane, in milliseconds. */
const BETWEEN_MS = 120;
/** The limit for an answer, as in `traffic.ts`. */
const TIMEOUT_MS = 120_000;
const { NGHTTP2_REFUSED_STREAM, NGHTTP2_CANCEL } = constants;

interface Session {
  readonly client: ClientHttp2Session;
  /** The worker that has answered on it. */
  pid: number | undefined;
  /** How it ended. */
  ending: string | undefined;
}

export class Streams {
  sent = 0;
  answered = 0;
  /** Ids of requests that were refused unhandled, to be looked up in the journal. */
  readonly undone: string[] = [];
  readonly #target: Target;
  readonly #events: ClientEvents;
  readonly #make: (number: number) => MirroredExchange;
  readonly #done: Promise<unknown>;
  #session: Promise<Session | undefined> | undefined;
  #isStopped = false;

  constructor(target: Target, make: (number: number) => MirroredExchange, events: ClientEvents) {
    this.#target = target;
    this.#make = make;
    this.#events = events;
    this.#done = Promise.all(Array.from({ length: LANES }, () => this.#run()));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
    (await this.#session)?.client.close();
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const session = await this.#usable();
      if (session !== undefined) await this.#ask(session);
      await pause(BETWEEN_MS);
    }
  }

  /** The session of all lanes, or a new one where the last is over; undefined if none can be had now. */
  async #usable(): Promise<Session | undefined> {
    for (;;) {
      this.#session ??= this.#open();
      const opening = this.#session;
      const session = await opening;
      if (session !== undefined && !session.client.closed && !session.client.destroyed) return session;
      if (this.#session === opening) this.#session = undefined;
      if (session === undefined) return undefined;
    }
  }

  async #open(): Promise<Session | undefined> {
    const since = Date.now();
    const { socket, ready } = openTo(this.#target);
    let isConnected = false;
    socket.once("connect", () => {
      isConnected = true;
    });
    const error = await new Promise<Error | undefined>((resolve) => {
      socket.once("error", resolve);
      socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error("no handshake in time")));
      void ready.then(() => resolve(undefined));
    });
    if (error !== undefined) {
      const kind = isConnected ? "reset" : "refused";
      if (isConnected && !isCutOff(error)) this.#events.wrong(`HTTP/2, handshake: ${error.message}`);
      else this.#lose({ kind, text: error.message, since });
      return undefined;
    }
    socket.setTimeout(0);
    const scheme = this.#target.tls === undefined ? "http" : "https";
    const client = connect(`${scheme}://localhost`, { createConnection: () => socket });
    const session: Session = { client, pid: undefined, ending: undefined };
    client.once("error", (failure: NodeJS.ErrnoException) => {
      session.ending = failure.code ?? failure.message;
    });
    client.once("close", () => {
      session.ending ??= "closed";
    });
    client.on("goaway", (code) => {
      if (code !== 0) this.#events.wrong(`HTTP/2: GOAWAY with code ${code} of worker ${session.pid}`);
    });
    return session;
  }

  async #ask(session: Session): Promise<void> {
    const since = Date.now();
    const exchange = this.#make(this.sent++);
    const { method, target, body, label } = exchange;
    const stream = session.client.request(
      { ":method": method, ":path": target, ":authority": "load.test" },
      { endStream: body.length === 0 },
    );
    if (body.length > 0) stream.end(body);
    const outcome = await outcomeOf(stream);
    const { answer } = outcome;
    const fault = answer && exchange.check(answer);
    // Node's client ends what it reads without an error when its connection goes away: such an answer is lost.
    const isOver = session.client.destroyed || session.ending !== undefined;
    if (answer !== undefined && (fault === undefined || !isOver)) {
      session.pid = Number(answer.headers.find(([name]) => name === "x-worker")?.[1]);
      if (fault !== undefined) this.#events.wrong(`HTTP/2 ${label}: ${fault} (worker ${session.pid})`);
      else {
        this.answered += 1;
        this.#events.answered();
      }
    } else if (outcome.code === NGHTTP2_REFUSED_STREAM) this.undone.push(idOf(exchange));
    else {
      const text = `${label}: ${fault ?? outcome.text}, session ${session.ending ?? "open"}`;
      this.#lose({ kind: "reset", text, since, id: idOf(exchange), pid: session.pid });
    }
  }

  #lose(loss: {
    readonly kind: string;
    readonly text: string;
    readonly since: number;
    readonly id?: string;
    readonly pid?: number | undefined;
  }): void {
    this.#events.lost({ client: "HTTP/2", id: undefined, pid: undefined, at: Date.now(), ...loss });
  }
}

interface StreamOutcome {
  readonly answer: ReceivedAnswer | undefined;
  readonly code: number;
  readonly text: string;
}

function outcomeOf(stream: ClientHttp2Stream): Promise<StreamOutcome> {
  const pieces: Buffer[] = [];
  let [status, isWhole, error] = [0, false, "no error"];
  let headers: (readonly [string, string])[] = [];
  stream.setTimeout(TIMEOUT_MS, () => {
    error = "no answer in time";
    stream.close(NGHTTP2_CANCEL);
  });
  stream.on("response", (fields) => {
    status = Number(fields[":status"]);
    headers = Object.entries(fields).map(([name, value]) => [name, String(value)]);
  });
  stream.on("data", (piece: Buffer) => pieces.push(piece));
  stream.once("end", () => {
    isWhole = true;
  });
  stream.once("error", (failure: NodeJS.ErrnoException) => {
    error = failure.code ?? failure.message;
  });
  return new Promise((resolve) => {
    stream.once("close", () => {
      const { rstCode: code, aborted } = stream;
      const body = Buffer.concat(pieces);
      const text = `code ${code}, ${error}, after status ${status} and ${body.length} bytes`;
      const answer = { status, headers, body, trailers: [], informational: [], closes: false };
      const isAnswered = isWhole && code === 0 && !aborted && status !== 0;
      resolve({ answer: isAnswered ? answer : undefined, code, text });
    });
  });
}
