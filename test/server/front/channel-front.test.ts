/**
 * A front whose stages only read, so that connections go through it as channels: what comes with the header, in pieces and
 * behind it, and what is refused. The command's tests are in proxy-command.test.ts.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectSession } from "node:http2";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises";
import { ProxyRules } from "../../../src/exchange/proxy-rules.ts";
import type { Handler } from "../../../src/gateway/types.ts";
import { AcceptLimiter } from "../../../src/server/accept-limiter.ts";
import { Front } from "../../../src/server/front/front.ts";
import { protocolChoice } from "../../../src/server/front/protocol-choice.ts";
import { ProxyStage } from "../../../src/server/front/proxy-stage.ts";
import { http2Sessions } from "../../../src/server/http2/http2-server.ts";
import type { EngineOptions } from "../../../src/server/server-options.ts";
import { until } from "../../support/command.ts";
import { type Engine, type RawClient, startEngine, statuses } from "../../support/engine.ts";
import { HTTP2_DEFAULTS } from "../../support/http2-engine.ts";
import { binaryHeader, inet, PROXY, textHeader } from "../../support/proxy-headers.ts";

const HEADER = binaryHeader(PROXY, 0x11, inet("192.0.2.7", "198.51.100.1", 50_000, 443));
/** Where time is not what is tested, no machine may be too slow. */
const LONG_MS = 60_000;

interface Fronted extends Engine {
  readonly refused: Error[];
  readonly limiter: AcceptLimiter;
}

interface Options extends Partial<EngineOptions> {
  /** The peer that sends headers. */
  readonly allowed?: string;
  /** Whether there is a choice of the protocol, which waits for the first bytes behind the header. */
  readonly chooses?: boolean;
  /** In milliseconds. */
  readonly frontTimeout?: number;
  readonly idleTimeout?: number;
}

async function fronted(
  test: TestContext,
  handle: Handler,
  {
    allowed = "127.0.0.1",
    chooses = true,
    frontTimeout = LONG_MS,
    idleTimeout = LONG_MS,
    ...options
  }: Options = {},
): Promise<Fronted> {
  const refused: Error[] = [];
  const limiter = new AcceptLimiter();
  const stages = [
    new ProxyStage({ versions: "auto", rules: new ProxyRules([allowed]) }),
    ...(chooses ? [protocolChoice({ h1: true, cleartext: true })] : []),
  ];
  const front = new Front(
    { stages, timeout: frontTimeout, idleTimeout, onRefused: (error) => refused.push(error) },
    limiter,
  );
  assert.equal(front.takesChannels, true);
  const http2 = http2Sessions(HTTP2_DEFAULTS);
  const engine = await startEngine(test, handle, {
    limiter,
    front: () => front,
    http2,
    ...options,
  } as object);
  return { ...engine, refused, limiter };
}

const tell: Handler = async (request, respond) => {
  const content = request.method === "POST" ? (await request.body.text()).length : 0;
  respond(200, {}, `${request.remote.address} ${request.path} ${content} ${request.httpVersion}\n`);
};

const closing = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;

async function sendPieces(client: RawClient, ...pieces: (string | Uint8Array)[]): Promise<void> {
  for (const piece of pieces) {
    client.send(piece);
    // The server is in this process: it reads meanwhile.
    for (let turn = 0; turn < 3; turn += 1) await nextTurn();
  }
}

test("a header and its requests are the same however they are split", async (t) => {
  const engine = await fronted(t, tell);
  for (const header of [HEADER, Buffer.from(textHeader("192.0.2.7"))]) {
    const bytes = Buffer.concat([header, Buffer.from(closing("/split"))]);
    for (let at = 0; at <= header.length + 4; at += 1) {
      const client = await engine.connect();
      await sendPieces(client, bytes.subarray(0, at), bytes.subarray(at));
      const received = await client.rest();
      assert.ok(received.endsWith("192.0.2.7 /split 0 1.1\n"), `${at}: ${received}`);
    }
  }
  const single = await engine.connect();
  await sendPieces(single, ...[...HEADER, ...Buffer.from(closing("/single"))].map((byte) => Buffer.of(byte)));
  assert.match(await single.rest(), /192\.0\.2\.7 \/single 0 1\.1\n$/);
  assert.deepEqual([engine.refused, engine.errors], [[], []]);
  await until("all are closed", () => engine.limiter.connections === 0 && engine.server.connections === 0);
});

test("requests and content behind a header are read in turn, and a client that sends much waits", async (t) => {
  const engine = await fronted(t, tell);
  const get = "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n";
  const content = "x".repeat(2_000_000);
  const post = `POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: ${content.length}\r\n\r\n${content}`;
  const client = await engine.connect();
  client.send(Buffer.concat([HEADER, Buffer.from(`${get}${post}${closing("/3")}`)]));
  const received = await client.rest();
  assert.deepEqual(statuses(received), [200, 200, 200]);
  for (const line of ["/1 0", "/2 2000000", "/3 0"]) assert.ok(received.includes(`192.0.2.7 ${line} 1.1\n`));
});

test("an app takes over a connection with what came behind its header", async (t) => {
  const engine = await fronted(t, (request, respond) => {
    const stream = respond.upgrade({ connection: "upgrade", upgrade: "echo" });
    stream.write(`${request.remote.address} `);
    stream.pipe(stream);
  });
  const ask = "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nfirst ";
  const client = await engine.connect();
  client.send(Buffer.concat([HEADER, Buffer.from(ask)]));
  await client.until((received) => received.endsWith("192.0.2.7 first "));
  client.socket.end("last");
  assert.match(await client.rest(), /192\.0\.2\.7 first last$/);
});

test("HTTP/2 begins behind a header, in one piece with it and by itself", async (t) => {
  const engine = await fronted(t, tell);
  for (const isSplit of [false, true]) {
    const socket = connect(engine.port, "127.0.0.1");
    await once(socket, "connect");
    if (!isSplit) socket.cork();
    socket.write(HEADER);
    if (isSplit) await pause(20);
    const session = connectSession("http://127.0.0.1", { createConnection: () => socket });
    const content = "y".repeat(300_000);
    const stream = session.request({ ":path": "/two", ":method": "POST" }, { endStream: false });
    if (!isSplit) process.nextTick(() => socket.uncork());
    stream.end(content);
    let text = "";
    for await (const piece of stream.setEncoding("latin1")) text += piece;
    assert.equal(text, "192.0.2.7 /two 300000 2.0\n");
    session.close();
    await once(socket, "close");
  }
  await until("all are closed", () => engine.limiter.connections === 0 && engine.server.connections === 0);
});

test("a peer that sends no headers is its own client, and one that sends none in time is refused", async (t) => {
  const engine = await fronted(t, tell, { allowed: "192.0.2.1" });
  assert.match(await engine.exchange(closing("/own")), /127\.0\.0\.1 \/own 0 1\.1\n$/);
  assert.match(await engine.exchange(Buffer.concat([HEADER, Buffer.from(closing("/"))])), /^HTTP\/1\.1 400 /);
  assert.deepEqual(engine.refused, []);
});

test("each connection has its own time, and one that has gone on has all it needs", async (t) => {
  const frontTimeout = 600;
  const engine = await fronted(t, tell, { chooses: false, frontTimeout });
  const passed = await engine.connect();
  await sendPieces(passed, HEADER);
  const waits = ["", "PROXY ", HEADER.subarray(0, 20)].map(async (sent, at) => {
    await pause(at * (frontTimeout / 3));
    const client = await engine.connect();
    const began = performance.now();
    client.send(sent);
    assert.equal(await client.rest(), "");
    return performance.now() - began;
  });
  for (const took of await Promise.all(waits)) assert.ok(took > frontTimeout - 20, `${took} ms`);
  assert.deepEqual(
    engine.refused.map(({ name }) => name),
    Array.from({ length: 3 }, () => "FrontTimeout"),
  );
  passed.send(closing("/late"));
  assert.match(await passed.rest(), /192\.0\.2\.7 \/late 0 1\.1\n$/);
  await until("all are closed", () => engine.limiter.connections === 0 && engine.server.connections === 0);
});

async function openBehindHeader(engine: Fronted): Promise<RawClient> {
  const client = await engine.connect();
  await sendPieces(client, HEADER);
  return client;
}

test("one of which only the request is missing may take longer, until it has begun", async (t) => {
  const frontTimeout = 600;
  const engine = await fronted(t, tell, { frontTimeout });
  const [late, slow] = [await openBehindHeader(engine), await openBehindHeader(engine)];
  await pause(frontTimeout * 1.5);
  late.send(closing("/late"));
  assert.match(await late.rest(), /192\.0\.2\.7 \/late 0 1\.1\n$/);
  assert.deepEqual(engine.refused, []);
  slow.send("PRI * ");
  assert.equal(await slow.rest(), "");
  assert.deepEqual(
    engine.refused.map(({ name }) => name),
    ["FrontTimeout"],
  );
});

test("one of which only the request is missing is idle, and has the time of a kept connection", async (t) => {
  const idleTimeout = 1200;
  const engine = await fronted(t, tell, { frontTimeout: 600, idleTimeout });
  const began = performance.now();
  const idle = await openBehindHeader(engine);
  assert.equal(await idle.rest(), "");
  const took = performance.now() - began;
  assert.ok(took > idleTimeout - 50, `${took} ms`);
  assert.deepEqual(engine.refused, []);
});

test("a drain closes a connection of which only the request is missing", async (t) => {
  const engine = await fronted(t, tell);
  const last = await openBehindHeader(engine);
  await until("it is counted", () => engine.server.connections === 1);
  await engine.server.drain(50);
  assert.equal(await last.rest(), "");
});

test("what is no header is refused once, and a client that leaves is no fault", async (t) => {
  const engine = await fronted(t, tell);
  assert.equal(await engine.exchange(closing("/none")), "");
  assert.equal(await engine.exchange(HEADER.subarray(0, 20)), "");
  assert.deepEqual(
    engine.refused.map(({ message }) => message),
    [
      "the connection from 127.0.0.1 does not begin with a PROXY header",
      "the connection from 127.0.0.1 ended within its PROXY header",
    ],
  );
  assert.equal(await engine.exchange(""), "");
  assert.equal(await engine.exchange(HEADER), "");
  for (const sent of ["", HEADER.subarray(0, 20), HEADER]) {
    const client = await engine.connect();
    await sendPieces(client, sent);
    client.socket.resetAndDestroy();
  }
  await until("all are closed", () => engine.limiter.connections === 0 && engine.server.connections === 0);
  assert.equal(engine.refused.length, 2);
});

test("a drain closes silent connections, and serves one within its header", async (t) => {
  const engine = await fronted(t, tell);
  const [silent, within] = [await engine.connect(), await engine.connect()];
  await sendPieces(within, HEADER.subarray(0, 20));
  await until("both are counted", () => engine.server.connections === 2);
  const drained = engine.server.drain(50);
  assert.equal(await silent.rest(), "");
  within.send(Buffer.concat([HEADER.subarray(20), Buffer.from("GET /kept HTTP/1.1\r\nHost: x\r\n\r\n")]));
  const received = await within.rest();
  assert.match(received, /^connection: close\r$/im);
  assert.match(received, /192\.0\.2\.7 \/kept 0 1\.1\n$/);
  await drained;
  assert.deepEqual([engine.refused, engine.limiter.connections], [[], 0]);
});
