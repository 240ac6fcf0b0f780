/** Exchanges that end in every possible way, and how they are counted. The apps are in `exchange-ends.test.ts`. */
import assert from "node:assert/strict";
import type { WorkerServer } from "../../src/server/server.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS, type EngineOptions } from "../../src/server/server-options.ts";
import type { RawClient } from "../support/engine.ts";
import { SCHEME } from "../support/tls-front.ts";

export type Options = Pick<
  Partial<EngineOptions>,
  "limits" | "timeouts" | "accessLog" | "meter" | "proxyRules"
>;

/** A server with the app below. */
export interface Served {
  readonly server: WorkerServer;
  client(): Promise<RawClient>;
}

export interface Case {
  readonly name: string;
  readonly options?: Options;
  /** Sent by the client at first. */
  readonly sends: string;
  /** Received then, before the case goes on. */
  readonly receives?: RegExp;
  /** The step after that. */
  readonly next?: (client: RawClient, served: Served) => unknown;
  /** How often each series has been counted in the end. */
  readonly counts: { readonly [key: string]: number };
  /** The same where the engine differs. */
  readonly engineCounts?: { readonly [key: string]: number };
  /** Targets of the requests in flight that are left. */
  readonly left?: readonly string[];
}

export const head = (method: string, target: string, ...fields: string[]): string =>
  [`${method} ${target} HTTP/1.1`, "Host: x", ...fields, "", ""].join("\r\n");

/** The key of a request's series. */
const req = (method: string, status: number | "", error = "", version = "1.1"): string =>
  `req|${method}|${status}|${SCHEME}|${version}|${error}|`;

const timeouts = (changed: Partial<EngineOptions["timeouts"]>): Options => ({
  timeouts: { ...DEFAULT_TIMEOUTS, ...changed },
});
const limits = (changed: Partial<EngineOptions["limits"]>): Options => ({
  limits: { ...DEFAULT_LIMITS, ...changed },
});

const CHUNKED = "Transfer-Encoding: chunked";
const UPGRADE = ["Connection: Upgrade", "Upgrade: echo"];

export const CASES: readonly Case[] = [
  {
    name: "a response",
    sends: head("GET", "/plain"),
    receives: /plain$/,
    counts: { [req("GET", 200)]: 1 },
  },
  {
    name: "HTTP/1.0",
    sends: "GET /plain HTTP/1.0\r\n\r\n",
    receives: /plain$/,
    counts: { [req("GET", 200, "", "1.0")]: 1 },
  },
  { name: "HEAD", sends: head("HEAD", "/plain"), receives: /\r\n\r\n$/, counts: { [req("HEAD", 200)]: 1 } },
  {
    name: "a method that metrics do not name",
    sends: head("PURGE", "/plain"),
    receives: /plain$/,
    counts: { [req("_OTHER", 200)]: 1 },
  },
  {
    name: "pipelined requests",
    sends: head("GET", "/plain") + head("GET", "/stream") + head("DELETE", "/plain"),
    receives: /plain[\s\S]*stream[\s\S]*plain$/,
    counts: { [req("GET", 200)]: 2, [req("DELETE", 200)]: 1 },
  },
  {
    name: "100-continue",
    sends: head("POST", "/body", "Content-Length: 3", "Expect: 100-continue"),
    receives: /100 Continue/,
    next: async (client) => {
      client.send("abc");
      await client.until((received) => received.endsWith("3"));
    },
    counts: { [req("POST", 200)]: 1 },
  },
  {
    name: "a stream",
    sends: head("GET", "/stream"),
    receives: /0\r\n\r\n$/,
    counts: { [req("GET", 200)]: 1 },
  },
  {
    name: "content that comes after its response",
    sends: `${head("POST", "/plain", "Content-Length: 6")}abc`,
    receives: /plain$/,
    next: (client) => client.send("def"),
    counts: { [req("POST", 200)]: 1 },
  },
  {
    name: "an error of the app",
    sends: head("GET", "/throws"),
    receives: / 500 /,
    counts: { [req("GET", 500)]: 1 },
  },
  {
    name: "a response that breaks off",
    sends: head("GET", "/truncated"),
    receives: /piece/,
    next: (client) => client.rest(),
    counts: { [req("GET", 200, "truncated")]: 1 },
  },
  {
    name: "a client that leaves before its response",
    sends: head("GET", "/never"),
    next: (client) => client.socket.resetAndDestroy(),
    counts: { [req("GET", "", "client_gone")]: 1 },
  },
  {
    name: "a client that leaves during its response",
    sends: head("GET", "/endless"),
    receives: /piece/,
    next: (client) => client.socket.resetAndDestroy(),
    counts: { [req("GET", 200, "client_gone")]: 1 },
  },
  {
    name: "a client that leaves in its content",
    sends: `${head("POST", "/body", "Content-Length: 6")}abc`,
    next: (client) => client.socket.resetAndDestroy(),
    counts: { [req("POST", "", "client_gone")]: 1 },
  },
  {
    name: "no response in time",
    options: timeouts({ request: 100 }),
    sends: head("GET", "/never"),
    receives: / 503 /,
    counts: { [req("GET", 503, "timeout")]: 1 },
  },
  {
    name: "content that is late",
    options: timeouts({ body: 100 }),
    sends: `${head("POST", "/body", "Content-Length: 6")}abc`,
    receives: / 408 /,
    counts: { [req("POST", 408, "timeout")]: 1 },
  },
  {
    name: "content that is malformed",
    sends: `${head("POST", "/body", CHUNKED)}zz\r\n`,
    receives: / 400 /,
    counts: { [req("POST", 400)]: 1 },
  },
  {
    name: "content that exceeds the limit",
    options: limits({ body: 4 }),
    sends: `${head("POST", "/body", CHUNKED)}6\r\nabcdef\r\n0\r\n\r\n`,
    receives: / 413 /,
    counts: { [req("POST", 413)]: 1 },
  },
  {
    name: "content whose length exceeds the limit",
    options: limits({ body: 4 }),
    sends: head("POST", "/body", "Content-Length: 6"),
    receives: / 413 /,
    counts: { "rej|limit": 1 },
  },
  {
    name: "a malformed head",
    sends: "GET /plain HTTP/1.1\r\nHost : x\r\n\r\n",
    receives: / 400 /,
    counts: { "rej|malformed": 1 },
  },
  {
    name: "a malformed head after a request",
    sends: `${head("GET", "/plain")}gar\x01bage\r\n\r\n`,
    receives: /plain[\s\S]* 400 /,
    counts: { [req("GET", 200)]: 1, "rej|malformed": 1 },
  },
  {
    name: "an expectation that is not met",
    sends: head("GET", "/plain", "Expect: more"),
    receives: / 417 /,
    counts: { "rej|malformed": 1 },
  },
  {
    name: "too many fields",
    options: limits({ fields: 3 }),
    sends: head("GET", "/plain", "A: 1", "B: 2", "C: 3"),
    receives: / 431 /,
    counts: { "rej|limit": 1 },
  },
  {
    name: "a request line that is too long",
    options: limits({ requestLine: 40 }),
    sends: head("GET", `/${"l".repeat(50)}`),
    receives: / 414 /,
    counts: { "rej|limit": 1 },
  },
  {
    name: "a head that is late",
    options: timeouts({ header: 100 }),
    sends: "GET /plain HTTP/1.1\r\nHo",
    receives: / 408 /,
    counts: { "connerr|head_timeout": 1 },
  },
  {
    name: "a client that leaves in its head",
    sends: head("GET", "/plain"),
    receives: /plain$/,
    next: async (client, served) => {
      client.send("GET /half HTTP/1.1\r\nHo");
      // A later request is answered later: by then the half head has been read.
      const later = await served.client();
      later.send(head("PUT", "/plain"));
      await later.until((received) => received.endsWith("plain"));
      later.socket.destroy();
      client.socket.resetAndDestroy();
    },
    counts: { [req("GET", 200)]: 1, [req("PUT", 200)]: 1, "connerr|incomplete_head": 1 },
  },
  {
    name: "an upgrade",
    sends: head("GET", "/upgrade", ...UPGRADE),
    receives: /101 /,
    counts: { [req("GET", 101)]: 1 },
  },
  {
    name: "an upgrade that the app refuses",
    sends: head("GET", "/refused", ...UPGRADE),
    receives: / 403 /,
    counts: { [req("GET", 403)]: 1 },
  },
  {
    name: "an upgrade that nobody answers",
    sends: head("GET", "/ignored", ...UPGRADE),
    next: (client) => client.socket.resetAndDestroy(),
    counts: { [req("GET", "", "client_gone")]: 1 },
  },
  {
    name: "an upgrade that exceeds a limit",
    options: limits({ fields: 3 }),
    sends: head("GET", "/upgrade", ...UPGRADE, "A: 1"),
    receives: / 431 /,
    counts: { "rej|limit": 1 },
  },
  {
    name: "CONNECT",
    sends: "CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n",
    receives: / 501 /,
    counts: { "rej|malformed": 1 },
    // There the app gets it.
    engineCounts: { [req("CONNECT", 501)]: 1 },
  },
  {
    name: "a drain",
    sends: head("GET", "/later"),
    next: async (client, { server }) => {
      const drained = server.drain(0);
      assert.match(await client.rest(), / 200 /);
      await drained;
    },
    counts: { [req("GET", 200)]: 1 },
  },
  {
    name: "a worker that quits",
    sends: head("GET", "/never"),
    next: (_, { server }) => server.destroy(),
    counts: { [req("GET", "", "worker_killed")]: 1 },
  },
  {
    name: "a worker that is about to be killed",
    sends: head("GET", "/never?left"),
    next: (_, { server }) => server.logUnfinished(),
    counts: {},
    left: ["/never?left"],
  },
];
