/** A server of HTTP/2 in this process that one client at a time asks: whatever the app sees comes from the bytes of that client. */
import type { Socket } from "node:net";
import { Arrivals } from "../../../../src/conformance/arrivals.ts";
import type { Handler } from "../../../../src/gateway/types.ts";
import { PREFACE } from "../../../../src/server/http2/frame-walker.ts";
import { DEFAULT_LIMITS } from "../../../../src/server/server-options.ts";
import { type Http2Engine, openHttp2Engine } from "../../../support/http2-engine.ts";
import { CORPUS_LIMITS } from "../../drive.ts";
import { answerTo, type SeenRequest } from "../socket-lane.ts";
import { Answers } from "./responses.ts";
import type { ReferenceLimits, Verdict } from "./verdict.ts";

const DEADLINE_MS = 5000;
/** Turns of the event loop in which a server that has read everything would answer what it must not answer. */
const SETTLE_TURNS = 8;

export const LIMITS: ReferenceLimits = { head: CORPUS_LIMITS, list: 20_000, continuations: 8 };

export interface H2Outcome {
  readonly answers: Answers;
  /** Whether the server has closed the connection. */
  readonly ended: boolean;
  /** The requests whose content the app has read to the end. */
  readonly seen: readonly SeenRequest[];
}

function pairs(raw: readonly string[]): [string, string][] {
  return raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1] as string] as [string, string]] : []));
}

export class H2Lane {
  readonly #engine: Http2Engine;
  #seen: SeenRequest[];

  private constructor(engine: Http2Engine, seen: SeenRequest[]) {
    this.#engine = engine;
    this.#seen = seen;
  }

  static async open(): Promise<H2Lane> {
    const seen: SeenRequest[] = [];
    const handle: Handler = async (request, respond) => {
      const { method, target, httpVersion, rawHeaders } = request;
      const body = Buffer.from(await request.body.bytes()).toString("latin1");
      const trailers = pairs(request.rawTrailers);
      seen.push({
        method,
        target,
        httpVersion: httpVersion as "1.1",
        headers: pairs(rawHeaders),
        body,
        trailers,
      });
      respond(200, {}, answerTo({ method, target }));
    };
    const engine = await openHttp2Engine(handle, {
      limits: { ...DEFAULT_LIMITS, ...LIMITS.head },
      sessions: { maxHeaderListSize: LIMITS.list },
    });
    return new H2Lane(engine, seen);
  }

  /** Sends the pieces behind the preface, and waits until everything that is due has come. */
  async ask(pieces: readonly Uint8Array[], verdict: Verdict): Promise<H2Outcome> {
    this.#seen.length = 0;
    this.#engine.errors.length = 0;
    const socket = await this.#engine.connect();
    const answers = new Answers();
    const arrivals = new Arrivals();
    let ended = false;
    socket.on("data", (bytes: Buffer) => {
      answers.receive(bytes);
      arrivals.notify();
    });
    socket.on("error", () => {});
    for (const event of ["end", "close"])
      socket.on(event, () => {
        ended = true;
        arrivals.notify();
      });
    socket.write(PREFACE);
    await send(socket, pieces);
    const isSettled = (): boolean => ended || (verdict.ends === undefined && hasAll(answers, verdict));
    const settled = await arrivals.until(isSettled, DEADLINE_MS);
    for (let turn = 0; turn < SETTLE_TURNS; turn += 1) await new Promise(setImmediate);
    const outcome = { answers, ended, seen: [...this.#seen] };
    socket.destroy();
    if (!settled) throw new Error(`waited in vain: ${JSON.stringify([...answers.streams])}`);
    const unexpected = this.#engine.errors.find(({ name }) => name !== "BodyError");
    if (unexpected !== undefined) throw unexpected;
    return outcome;
  }

  /** Requests that are still in flight. */
  get inFlight(): number {
    return this.#engine.server.inFlight().length;
  }

  close(): void {
    this.#engine.server.drain(0).catch(() => {});
    this.#engine.server.destroy();
  }
}

async function send(socket: Socket, pieces: readonly Uint8Array[]): Promise<void> {
  for (const piece of pieces) {
    if (socket.destroyed) return;
    socket.write(piece);
    await new Promise(setImmediate);
  }
}

/** Whether each stream has the end that is due to it. */
function hasAll({ streams }: Answers, verdict: Verdict): boolean {
  for (const [id, { isDue }] of verdict.streams) {
    const answer = streams.get(id);
    if (isDue && answer?.ended !== true && answer?.reset === undefined) return false;
  }
  return true;
}
