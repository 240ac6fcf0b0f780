/**
 * One way through a proxy: client, proxy, tee, server. The proxy's log, the bytes that it has sent and what the app has seen
 * must be the same requests, each with the proxy's mark. A request that only one of them knows has been smuggled.
 */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { RawClient } from "../../support/engine.ts";
import type { Reading } from "../corpus.ts";
import { LENIENT } from "../differential/server-check.ts";
import { answerTo, type SeenRequest, type ServerKind, SocketLane } from "../differential/socket-lane.ts";
import { CORPUS_LIMITS } from "../drive.ts";
import { readByReference, STRICT } from "../reference.ts";
import { readResponses, type WireResponse } from "../responses.ts";
import type { Forwarded, RunningProxy } from "./proxy.ts";
import { type LanePaths, MARK } from "./proxy-config.ts";
import { Tee } from "./tee.ts";

/** For a log line that comes after the response. */
const LOG_MS = 5000;
/** For a server that has not yet read what its proxy has sent. */
const SETTLE_MS = 5000;

export class ProxiedLane {
  readonly paths: LanePaths;
  readonly kind: ServerKind;
  readonly #server: SocketLane;
  readonly #tee: Tee;
  readonly #proxy: () => RunningProxy;

  private constructor(
    paths: LanePaths,
    kind: ServerKind,
    server: SocketLane,
    tee: Tee,
    proxy: () => RunningProxy,
  ) {
    this.paths = paths;
    this.kind = kind;
    this.#server = server;
    this.#tee = tee;
    this.#proxy = proxy;
  }

  /** @param proxy called from when the proxy has been started, which needs the lanes first */
  static async open(paths: LanePaths, kind: ServerKind, proxy: () => RunningProxy): Promise<ProxiedLane> {
    const server = await SocketLane.open(kind, `${paths.upstream}.app`);
    return new ProxiedLane(
      paths,
      kind,
      server,
      await Tee.listen(paths.upstream, `${paths.upstream}.app`),
      proxy,
    );
  }

  /** Sends the bytes of a client and checks what has become of them. Returns how many requests were forwarded. */
  async check(pieces: Iterable<Uint8Array>): Promise<number> {
    this.#server.reset();
    this.#tee.reset();
    const received = await this.#send(pieces);
    const sent = await this.#settled();
    const { seen } = this.#server.outcome;
    const log = await this.#log(seen.length);
    const context = { log, seen: seen.map(brief), sent: sent.map((bytes) => bytes.toString("latin1")) };
    try {
      for (const request of seen) this.#checkMark(request);
      this.#checkSent(seen.map(brief), sent);
      this.#checkLog(seen, log);
      this.#checkAnswers(seen, received);
    } catch (error) {
      throw new Error(
        `${(error as Error).message}\n${JSON.stringify(context)}\n${JSON.stringify(received)}`,
        {
          cause: error,
        },
      );
    }
    return seen.length;
  }

  async #send(pieces: Iterable<Uint8Array>): Promise<string> {
    const client = new RawClient(connect({ path: this.paths.entrance, allowHalfOpen: true }));
    for (const piece of pieces) {
      if (client.ended) break;
      client.send(piece);
      await new Promise(setImmediate);
    }
    client.socket.end();
    return await client.rest();
  }

  /**
   * Waits until the server has dealt with all that the proxy has sent: each request has its response, and connections with a
   * broken one are closed. Returns what was sent on each connection.
   */
  async #settled(): Promise<Buffer[]> {
    const end = performance.now() + SETTLE_MS;
    for (;;) {
      const { sent } = this.#tee;
      const { seen } = this.#server.outcome;
      const readings = sent.map(({ bytes }) => this.#readingOf(bytes));
      const requests = readings.reduce((sum, reading) => sum + reading.requests.length, 0);
      const broken = sent.some(({ closed }, at) => !closed && readings[at]?.ending !== "open");
      // Node's server may refuse some of them, and then closes the connection.
      const refused = this.kind === "node" && sent.some(({ closed }) => closed);
      const settled = !broken && (seen.length >= requests || refused);
      if (settled || performance.now() > end) return sent.map(({ bytes }) => bytes);
      await pause(2);
    }
  }

  /** The proxy writes its log before, or soon after, it closes the connection. */
  async #log(count: number): Promise<Forwarded[]> {
    const log: Forwarded[] = [];
    const end = performance.now() + LOG_MS;
    for (;;) {
      log.push(...this.#proxy().forwarded(this.paths));
      if (log.length >= count || performance.now() > end) return log;
      await pause(2);
    }
  }

  #checkMark({ headers, target }: SeenRequest): void {
    const marks = headers.filter(([name]) => name.toLowerCase() === MARK.toLowerCase());
    assert.deepEqual(
      marks.map(([, value]) => value),
      [this.paths.secret],
      `a request without the proxy's mark: ${target}`,
    );
  }

  #readingOf(bytes: Buffer): Reading {
    return this.kind === "node"
      ? readByReference(bytes, NODE_LIMITS, LENIENT)
      : readByReference(bytes, CORPUS_LIMITS, { ...STRICT, declinesUpgrades: true });
  }

  /** Node's server may refuse a request that the reference accepts, such as one with an unknown method, and what follows. */
  #checkSent(seen: readonly Brief[], sent: readonly Buffer[]): void {
    let at = 0;
    for (const bytes of sent) {
      const requests = this.#readingOf(bytes).requests.map(brief);
      for (const request of requests) {
        if (this.kind === "node" && !isDeepStrictEqual(seen[at], request)) break;
        assert.deepEqual(seen[at], request, "the app did not see what the proxy sent");
        at += 1;
      }
    }
    assert.equal(at, seen.length, "the app saw more than the proxy sent");
  }

  /** The log also has requests that we have refused, and those that the proxy has given up. */
  #checkLog(seen: readonly SeenRequest[], log: readonly Forwarded[]): void {
    let at = 0;
    for (const { method, target, body } of seen) {
      const matches = (one: Forwarded | undefined): boolean =>
        one?.method === method && sameTarget(one.target, target) && (one.body ?? body) === body;
      while (at < log.length && !matches(log[at])) at += 1;
      assert.ok(at < log.length, `the proxy does not know of ${method} ${target}`);
      at += 1;
    }
  }

  #checkAnswers(seen: readonly SeenRequest[], received: string): void {
    const answers = responsesOf(received, seen).filter(({ status }) => status === 200);
    // Fewer if the proxy has reset the connection of a client that sent more behind its last request.
    assert.ok(answers.length <= seen.length, "the client got a response that the app has not given");
    for (const [at, { body }] of answers.entries()) {
      const request = seen[at] as SeenRequest;
      const expected = request.method === "HEAD" ? "" : answerTo(request);
      assert.equal(body, expected, "the client got another response than the app gave");
    }
  }

  close(): void {
    this.#tee.close();
    this.#server.close();
  }
}

/** Node limits all trailers together, and a head as a whole. */
const NODE_LIMITS = { ...CORPUS_LIMITS, fields: 1000, fieldSize: 65_536 };

interface Brief {
  readonly method: string;
  readonly target: string;
  readonly body: string;
}

function brief({ method, target, body }: SeenRequest): Brief {
  return { method, target, body };
}

/** A proxy may forward absolute-form as origin-form (RFC 9112 section 3.2.1), and logs the one or the other. */
function sameTarget(one: string, other: string): boolean {
  return origin(one) === origin(other);
}

function origin(target: string): string {
  return target.replace(/^https?:\/\/[^/?]*/i, "").replace(/^(?=\?|$)/, "/");
}

/** The final responses, a proxy's own among them. No content here contains a status line. */
function responsesOf(received: string, seen: readonly SeenRequest[]): WireResponse[] {
  const all: WireResponse[] = [];
  for (const part of received.split(/(?=HTTP\/1\.1 \d{3} )/).filter((text) => text !== "")) {
    const answered = all.filter(({ status }) => status === 200).length;
    const isHead = seen[answered]?.method === "HEAD" && part.startsWith("HTTP/1.1 200 ");
    const { responses, rest } = readResponses(part, () => isHead || part.endsWith("\r\n\r\n"));
    all.push(...responses);
    if (rest !== "") all.push(withoutHead(rest, seen));
  }
  return all;
}

/** nginx answers a request of HTTP/0.9 with the content alone. What is no request at all gets other bytes. */
function withoutHead(body: string, seen: readonly SeenRequest[]): WireResponse {
  const isAnswer = seen.some((request) => answerTo(request) === body);
  return { status: isAnswer ? 200 : 400, headers: new Map(), body };
}
