/** Forwarded fields through the built command: over TCP and a Unix socket, from trusted and other peers. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { connect as dial } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ProxyRules } from "../../src/exchange/proxy-rules.ts";
import type { Endpoint } from "../../src/gateway/types.ts";
import { type CommandOptions, startCommand, temporaryFolder, until } from "../support/command.ts";
import { startEngine } from "../support/engine.ts";
import type { Target } from "../support/load.ts";

const WHO = "proxies/who.ts:handler";

interface Seen {
  readonly remote: Endpoint;
  readonly peer: Endpoint;
  readonly scheme: string;
  readonly host: string;
  readonly rootPath: string;
  readonly path: string;
  readonly id: string;
  readonly traceparent?: string;
}

/** The response to a GET with these fields. */
async function fetchText(target: Target, path: string, headers: Record<string, string>): Promise<string> {
  const where = "path" in target ? { socketPath: target.path } : target;
  const signal = AbortSignal.timeout(20_000);
  const outgoing = request({ ...where, path, headers, agent: false, signal }).end();
  const [incoming] = await once(outgoing, "response");
  let text = "";
  for await (const chunk of incoming.setEncoding("utf8")) text += chunk;
  return text;
}

async function see(target: Target, headers: Record<string, string>, path = "/x"): Promise<Seen> {
  return JSON.parse(await fetchText(target, path, { host: "real.example", ...headers })) as Seen;
}

const TOLD = {
  "x-forwarded-for": "6.6.6.6, 203.0.113.9",
  "x-forwarded-proto": "https",
  "x-forwarded-host": "shop.example",
  "x-forwarded-port": "8443",
  "x-forwarded-prefix": "/app",
  "x-request-id": "from-the-proxy",
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
};

/** Serves the fixture on a free TCP port and on a Unix socket. */
async function serve(
  context: TestContext,
  args: readonly string[] = [],
  app = WHO,
  options: CommandOptions = {},
) {
  const path = join(temporaryFolder(context), "app.sock");
  const command = startCommand(
    context,
    [app, "--bind", "127.0.0.1:0", "--bind", `unix:${path}`, ...args],
    options,
  );
  await command.ready();
  return { command, tcp: { port: await command.port() }, unix: { path } };
}

function assertBelieved(seen: Seen): void {
  assert.deepEqual(seen.remote, { family: "ipv4", address: "203.0.113.9", port: 0 });
  const { scheme, host, rootPath, path, id } = seen;
  assert.deepEqual(
    { scheme, host, rootPath, path, id },
    { scheme: "https", host: "shop.example:8443", rootPath: "/app", path: "/x", id: TOLD["x-request-id"] },
  );
}

function assertNotBelieved(seen: Seen): void {
  assert.deepEqual(seen.remote, seen.peer);
  const { scheme, host, rootPath } = seen;
  assert.deepEqual({ scheme, host, rootPath }, { scheme: "http", host: "real.example", rootPath: "" });
  assert.notEqual(seen.id, TOLD["x-request-id"]);
}

test("loopback and the Unix socket are trusted by default", async (context) => {
  const { tcp, unix } = await serve(context);
  for (const target of [tcp, unix]) {
    const seen = await see(target, TOLD, "/app/x");
    assertBelieved(seen);
    assert.equal(seen.traceparent, TOLD.traceparent);
    assert.equal(seen.peer.family, target === tcp ? "ipv4" : "unix");
    assertNotBelieved(await see(target, {}));
    const standard = await see(target, { forwarded: "for=203.0.113.9;proto=https;host=shop.example" });
    assert.deepEqual(
      [standard.remote.address, standard.scheme, standard.host],
      ["203.0.113.9", "https", "shop.example"],
    );
  }
});

for (const { what, args, env, trusted } of [
  { what: "none", args: ["--forwarded-allow-ips", "none"], trusted: [] },
  { what: "none, by an empty value", args: ["--forwarded-allow-ips", ""], trusted: [] },
  { what: "another network", args: ["--forwarded-allow-ips", "10.0.0.0/8,2001:db8::/32"], trusted: [] },
  { what: "Unix sockets only", args: ["--forwarded-allow-ips", "unix"], trusted: ["unix"] },
  { what: "one address", args: ["--forwarded-allow-ips", "127.0.0.1"], trusted: ["tcp"] },
  {
    what: "by two flags",
    args: ["--forwarded-allow-ips", "127.0.0.0/8", "--forwarded-allow-ips", "unix"],
    trusted: ["tcp", "unix"],
  },
  {
    what: "by gunicorn's variable",
    args: [],
    env: { FORWARDED_ALLOW_IPS: "10.0.0.1, unix" },
    trusted: ["unix"],
  },
]) {
  test(`trusted peers: ${what}`, async (context) => {
    const { tcp, unix } = await serve(context, args, WHO, env === undefined ? {} : { env });
    for (const [name, target] of Object.entries({ tcp, unix })) {
      const believed = trusted.includes(name);
      const seen = await see(target, TOLD, believed ? "/app/x" : "/x");
      if (believed) assertBelieved(seen);
      else assertNotBelieved(seen);
    }
  });
}

test("with every proxy trusted, the first address of the list is the client", async (context) => {
  const { tcp } = await serve(context, ["--forwarded-allow-ips", "*"]);
  assert.equal((await see(tcp, TOLD)).remote.address, "6.6.6.6");
});

test("only the configured fields are read", async (context) => {
  const { unix } = await serve(context, ["--forwarded-headers", "X-Forwarded-For,forwarded"]);
  const { remote, scheme, host, rootPath, id } = await see(unix, {
    ...TOLD,
    forwarded: "for=6.6.6.6;proto=https",
  });
  assert.deepEqual([remote.address, scheme, host, rootPath], ["203.0.113.9", "http", "real.example", ""]);
  assert.notEqual(id, TOLD["x-request-id"]);
});

test("an invalid peer and an invalid field are named in the error", async (context) => {
  for (const [args, message] of [
    [
      ["--forwarded-allow-ips", "localhost"],
      /forwarded-allow-ips: "localhost" is not an address: use .*from --forw/,
    ],
    [
      ["--forwarded-headers", "x-real-ip"],
      /forwarded-headers: "x-real-ip" is not one of x-forwarded-for, .*from --forw/,
    ],
    [["--root-path", "app"], /root-path: "app" is not a path: write \/app \(from --root-path\)/],
  ] as const) {
    const command = startCommand(context, [WHO, ...args]);
    assert.equal((await command.ended()).code, 2);
    assert.match(command.stderr, message);
  }
});

test("an app below a root path, which a trusted proxy may override", async (context) => {
  const { unix, tcp } = await serve(context, ["--root-path", "/app/", "--forwarded-allow-ips", "unix"]);
  const at = async (target: Target, path: string, headers = {}): Promise<string[]> => {
    const seen = await see(target, headers, path);
    return [seen.rootPath, seen.path];
  };
  assert.deepEqual(await at(tcp, "/app/x?y"), ["/app", "/x"]);
  assert.deepEqual(await at(tcp, "/app"), ["/app", "/"]);
  assert.deepEqual(await at(tcp, "/apple"), ["/app", "/apple"]);
  assert.deepEqual(await at(unix, "/other/x", { "x-forwarded-prefix": "/other" }), ["/other", "/x"]);
  assert.deepEqual(await at(unix, "/x", { "x-forwarded-prefix": "//evil.example" }), ["/app", "/x"]);
  assert.deepEqual(await at(tcp, "/x", { "x-forwarded-prefix": "/evil" }), ["/app", "/x"]);
});

test("a root path for a node listener is an error", async (context) => {
  const command = startCommand(context, [
    "pool/listener.cjs",
    "--root-path",
    "/app",
    "--bind",
    "127.0.0.1:0",
  ]);
  assert.equal((await command.ended()).code, 4);
  assert.match(command.stderr, /--root-path \/app is for gateway and fetch apps/);
});

test("a fetch app sees the URL that the client requested", async (context) => {
  const { unix } = await serve(context, [], "proxies/who.ts:site");
  const host = { host: "real.example" };
  assert.equal(await fetchText(unix, "/x?y", host), "http://real.example/x?y");
  assert.equal(await fetchText(unix, "/x?y", { ...host, ...TOLD }), "https://shop.example:8443/app/x?y");
});

test("an invalid request id is not logged: a client cannot forge log lines", async (context) => {
  const { unix, command } = await serve(context, [], "proxies/who.ts:failing");
  const forgeries = [
    "x [CRITICAL] forged",
    'x","forged":"',
    "x\\nforged",
    "\u0085forged",
    `forged${"x".repeat(200)}`,
  ];
  for (const forged of forgeries) await fetchText(unix, "/", { "x-request-id": forged });
  await fetchText(unix, "/", { "x-request-id": "good-one" });
  await command.line(/\(good-one\)/);
  assert.equal(command.lines(/Error handling request/).length, forgeries.length + 1);
  assert.deepEqual(command.lines(/forged/), []);
});

test("a client that has disconnected is not mistaken for a peer on a Unix socket", async (context) => {
  let arrived = false;
  let seen: Endpoint | undefined;
  const engine = await startEngine(
    context,
    (incoming, respond) => {
      arrived = true;
      incoming.signal.addEventListener("abort", () => {
        // By the next turn the socket is closed.
        setImmediate(() => {
          seen = incoming.remote;
          respond(200, null, null);
        });
      });
    },
    { proxyRules: new ProxyRules(["unix"]) },
  );
  const socket = dial(engine.port, "127.0.0.1");
  await once(socket, "connect");
  socket.write("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n");
  await until("the request has arrived", () => arrived);
  socket.resetAndDestroy();
  const remote = await until("the app has read the address", () => seen);
  assert.deepEqual(remote, { family: "ipv4", address: "", port: 0 });
});
