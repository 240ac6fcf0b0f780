/** Section 4: the members of a request. */
import assert from "node:assert/strict";
import type { GatewayRequest, Handler } from "../../gateway/types.ts";
import type { SuiteRequest } from "../exchange.ts";
import type { Case, Stage } from "../stage.ts";

/** Notes the request for the case, and responds. */
const noteRequest =
  (stage: Stage): Handler =>
  (request, respond) => {
    stage.note(request);
    respond(200, null, "noted");
  };

/** A case that sends one request and checks the request that the app got. */
function sees(
  clauses: string[],
  title: string,
  request: SuiteRequest,
  look: (request: GatewayRequest) => void,
  options: Case["options"] = {},
): Case {
  return {
    clauses,
    title,
    options,
    app: noteRequest,
    async run(stage) {
      assert.equal((await stage.exchange(request)).status, 200);
      look(stage.notes.at(-1) as GatewayRequest);
    },
  };
}

/** The scheme of a connection of which no proxy has said anything. */
function ownScheme({ tls }: GatewayRequest): "http" | "https" {
  return tls === undefined ? "http" : "https";
}

const REPEATED = [
  ["Host", "a.example"],
  ["X-List", "one"],
  ["Cookie", "a=1"],
  ["x-LIST", "two"],
  ["Cookie", "b=2"],
  ["User-Agent", "first"],
  ["User-Agent", "second"],
  ["__proto__", "polluted"],
  ["X-Latin", "caf\u00e9"],
].flat();

const FORWARDED = [
  ["Host", "real.example"],
  ["X-Forwarded-For", "203.0.113.9"],
  ["X-Forwarded-Proto", "https"],
  ["X-Forwarded-Host", "spoofed.example"],
  ["X-Forwarded-Prefix", "/spoofed"],
  ["Forwarded", "for=203.0.113.9;proto=https;host=spoofed.example"],
  ["X-Request-ID", "spoofed"],
].flat();

function seesNothingForwarded(request: GatewayRequest): void {
  assert.deepEqual(request.remote, request.peer);
  assert.notEqual(request.remote.address, "203.0.113.9");
  assert.deepEqual(
    [request.scheme, request.host, request.rootPath],
    [ownScheme(request), "real.example", ""],
  );
  assert.notEqual(request.id, "spoofed");
}

const BY_A_PROXY = [
  ["Host", "internal.example"],
  ["X-Forwarded-For", "198.51.100.1, 203.0.113.9"],
  ["X-Forwarded-Proto", "https"],
  ["X-Forwarded-Host", "shop.example"],
  ["X-Forwarded-Prefix", "/app"],
  ["X-Request-ID", "given"],
].flat();

const lineCases: readonly Case[] = [
  sees(
    ["4.2.1", "4.2.2", "4.2.3"],
    "target and method are unchanged",
    { method: "PATCH", target: "/a%2Fb/../c%20d?q=%41?x=/y" },
    (request) => {
      assert.equal(request.method, "PATCH");
      assert.equal(request.target, "/a%2Fb/../c%20d?q=%41?x=/y");
      assert.equal(request.path, "/a%2Fb/../c%20d");
      assert.equal(request.query, "q=%41?x=/y");
    },
  ),
  sees(["4.2.3"], "an empty query is the same as none", { target: "/a?" }, (request) => {
    assert.deepEqual([request.path, request.query, request.target], ["/a", "", "/a?"]);
  }),
  sees(
    ["4.2.1", "4.2.2", "4.4.2"],
    "an absolute-form target has path, query and host of its own",
    // Host is that of another: the target counts (RFC 9112 section 3.2.2).
    { target: "http://b.example:81/x?y", headers: ["Host", "a.example"] },
    (request) => {
      assert.equal(request.target, "http://b.example:81/x?y");
      assert.deepEqual([request.path, request.query, request.host], ["/x", "y", "b.example:81"]);
    },
  ),
  sees(
    ["4.2.2"],
    "an absolute-form target without a path has the path /",
    { target: "http://b.example", headers: ["Host", "b.example"] },
    (request) => assert.equal(request.path, "/"),
  ),
  sees(["4.2.2"], "OPTIONS * has the path *", { method: "OPTIONS", target: "*" }, (request) => {
    assert.deepEqual([request.path, request.query], ["*", ""]);
  }),
  ...[
    { target: "/app/x?y", path: "/x" },
    { target: "/app", path: "/" },
    { target: "/apple", path: "/apple" },
  ].map(({ target, path }) =>
    sees(
      ["4.2.4"],
      `the root path /app and the target ${target}`,
      { target },
      (request) => assert.deepEqual([request.rootPath, request.path], ["/app", path]),
      { rootPath: "/app" },
    ),
  ),
  sees(["4.2.5", "4.4.2"], "HTTP/1.0 without Host", { httpVersion: "1.0" }, (request) => {
    assert.deepEqual([request.httpVersion, request.host], ["1.0", ""]);
  }),
  sees(["4.2.5", "4.4.2"], "HTTP/1.1", { headers: ["Host", "c.example:8080"] }, (request) => {
    assert.deepEqual([request.httpVersion, request.host], ["1.1", "c.example:8080"]);
  }),
];

const fieldCases: readonly Case[] = [
  sees(["4.3.1"], "raw fields keep order, case, number and bytes", { headers: REPEATED }, (request) => {
    assert.deepEqual(request.rawHeaders, REPEATED);
  }),
  sees(["4.3.2"], "fields have lower-case names and no prototype", { headers: REPEATED }, (request) => {
    assert.equal(Object.getPrototypeOf(request.headers), null);
    assert.equal(Object.getOwnPropertyDescriptor(request.headers, "__proto__")?.value, "polluted");
    const names = ["__proto__", "cookie", "host", "user-agent", "x-latin", "x-list"];
    assert.deepEqual(Object.keys(request.headers).sort(), names);
    assert.equal(request.headers["x-latin"], "caf\u00e9");
  }),
  sees(["4.3.3"], "repeated fields are joined", { headers: REPEATED }, (request) => {
    assert.equal(request.headers["x-list"], "one, two");
    assert.equal(request.headers.cookie, "a=1; b=2");
  }),
  sees(["4.3.4"], "fields that are not lists keep their first value", { headers: REPEATED }, (request) => {
    assert.equal(request.headers["user-agent"], "first");
  }),
  {
    clauses: ["4.3.1"],
    title: "values have no surrounding white space",
    wire: true,
    app: noteRequest,
    async run(stage) {
      const client = await stage.open();
      client.send("GET / HTTP/1.1\r\nHost:a\r\nX-Space: \t padded \t\r\nX-Empty:\r\n\r\n");
      await client.response();
      const { rawHeaders } = stage.notes[0] as GatewayRequest;
      assert.deepEqual(rawHeaders, ["Host", "a", "X-Space", "padded", "X-Empty", ""]);
    },
  },
];

const senderCases: readonly Case[] = [
  sees(["4.4.1", "4.4.3"], "who asks is who is at the other end", {}, (request) => {
    assert.equal(request.scheme, ownScheme(request));
    assert.deepEqual(request.remote, request.peer);
    for (const end of [request.peer, request.local]) {
      assert.ok(["ipv4", "ipv6", "unix"].includes(end.family));
      assert.equal(typeof end.address, "string");
      assert.ok(Number.isInteger(end.port) && (end.family !== "unix" || end.port === 0));
    }
  }),
  sees(
    ["4.4.4"],
    "what an untrusted peer says counts for nothing",
    { headers: FORWARDED },
    seesNothingForwarded,
  ),
  sees(
    ["4.4.4"],
    "what a peer says counts for nothing where others are trusted",
    { headers: FORWARDED },
    seesNothingForwarded,
    { forwardedAllowIps: ["192.0.2.1"] },
  ),
  sees(
    ["4.2.4", "4.4.1", "4.4.2", "4.4.4", "4.4.5"],
    "what a trusted peer says counts",
    { target: "/app/x?y", headers: BY_A_PROXY },
    (request) => {
      assert.deepEqual(request.remote, { family: "ipv4", address: "203.0.113.9", port: 0 });
      assert.notEqual(request.peer.address, "203.0.113.9");
      assert.deepEqual([request.scheme, request.host], ["https", "shop.example"]);
      assert.deepEqual([request.rootPath, request.path, request.id], ["/app", "/x", "given"]);
      assert.equal(request.target, "/app/x?y");
    },
    { forwardedAllowIps: ["127.0.0.1"] },
  ),
  ...[
    { written: "a hop that is not trusted", trust: [], list: "198.51.100.1, 203.0.113.9, 127.0.0.2" },
    {
      written: "what cannot be read",
      trust: ["203.0.113.0/24"],
      list: "198.51.100.1, (hidden), 203.0.113.9, 127.0.0.2",
    },
    { written: "its first element", trust: [], list: "203.0.113.9, 127.0.0.3, 127.0.0.2" },
  ].map(({ written, trust, list }) =>
    sees(
      ["4.4.6"],
      `a list is read from its end, to ${written}`,
      { headers: ["X-Forwarded-For", list] },
      (request) => assert.equal(request.remote.address, "203.0.113.9"),
      { forwardedAllowIps: ["127.0.0.0/8", ...trust] },
    ),
  ),
  {
    clauses: ["4.4.5"],
    title: "ids are visible ASCII and unique",
    app: noteRequest,
    async run(stage) {
      for (let count = 0; count < 3; count += 1) await stage.exchange();
      const ids = stage.notes.map((request) => (request as GatewayRequest).id);
      for (const id of ids) assert.match(id, /^[\x21-\x7e]+$/);
      assert.equal(new Set(ids).size, 3);
    },
  },
];

const workerCases: readonly Case[] = [
  {
    clauses: ["4.5.1", "3.3.2"],
    title: "the worker is the one passed to startup, and the state is the value it returned",
    app: (stage) => ({
      startup: (worker) => stage.note({ worker }),
      handle: (request, respond) => {
        stage.note({ worker: request.worker, state: request.state });
        respond(200, null, null);
      },
    }),
    async run(stage) {
      await stage.exchange();
      const [started, asked] = stage.notes as [{ worker: unknown }, { worker: unknown; state: unknown }];
      assert.equal(asked.worker, started.worker);
      assert.equal(asked.state, started);
    },
  },
  {
    clauses: ["4.5.1", "4.5.2", "13.3"],
    needs: ["drain"],
    title: "while the worker drains, request.draining is true and responses close the connection",
    wire: true,
    app: (stage) => async (request, respond) => {
      stage.note(request.draining);
      await new Promise<void>((resolve) => {
        request.worker.drain.addEventListener("abort", () => resolve(), { once: true });
        stage.note("waiting");
      });
      respond(200, null, String(request.draining && request.worker.drain.aborted));
    },
    async run(stage) {
      const client = await stage.open();
      client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      await stage.until(() => stage.notes.includes("waiting"), "the request");
      stage.subject.drain?.();
      const answer = await client.response();
      assert.equal(answer.content.toString(), "true");
      assert.equal(stage.notes[0], false);
      assert.equal(answer.headers.connection, "close");
    },
  },
];

const STRINGS = [
  "method",
  "target",
  "path",
  "query",
  "rootPath",
  "httpVersion",
  "scheme",
  "host",
  "id",
] as const;
const OBJECTS = ["headers", "remote", "peer", "local", "worker", "body", "trailers"] as const;

export const requestCases: readonly Case[] = [
  sees(["4.1.1"], "every member is there, of its type", { target: "/a?b" }, (request) => {
    for (const name of STRINGS) assert.equal(typeof request[name], "string", name);
    for (const name of OBJECTS) assert.equal(typeof request[name], "object", name);
    for (const name of ["upgrade", "draining"] as const) assert.equal(typeof request[name], "boolean", name);
    assert.ok(Array.isArray(request.rawHeaders) && Array.isArray(request.rawTrailers));
    assert.ok(request.signal instanceof AbortSignal);
    assert.equal(typeof request.extend, "function");
    assert.ok("state" in request);
  }),
  sees(["4.1.2", "4.4.5"], "members stay what they are", {}, (request) => {
    for (const name of ["headers", "rawHeaders", "id", "body", "signal", "worker", "path"] as const) {
      assert.equal(request[name], request[name], name);
    }
  }),
  ...lineCases,
  ...fieldCases,
  ...senderCases,
  ...workerCases,
  sees(
    ["4.6.1"],
    "Upgrade without Connection asks for nothing",
    { headers: ["Host", "a", "Upgrade", "echo"] },
    (request) => assert.equal(request.upgrade, false),
  ),
];
