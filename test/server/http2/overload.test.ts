/** Too many requests and too many connections over HTTP/2: what waits, what is refused, and who gives way. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Handler } from "../../../src/gateway/types.ts";
import { InFlightGate } from "../../../src/server/in-flight-gate.ts";
import { DEFAULT_TIMEOUTS } from "../../../src/server/server-options.ts";
import { cleanUp, FIXTURES, startCommand, until } from "../../support/command.ts";
import { ask, type Http2Engine, startHttp2Engine } from "../../support/http2-engine.ts";
import { FrameClient, field, request, settings, windowUpdate } from "../../support/http2-frames.ts";

/** An app that answers `/hold` when it is told to, and all else at once. */
function holder() {
  const called: string[] = [];
  const held: (() => void)[] = [];
  const handle: Handler = async ({ target }, respond) => {
    called.push(target);
    if (target === "/hold") await new Promise<void>((resolve) => held.push(resolve));
    respond(200, null, `answered ${target}`);
  };
  const release = (): void => {
    for (const resolve of held.splice(0)) resolve();
  };
  return { called, handle, release };
}

const inFlight = (engine: Http2Engine, count: number): Promise<unknown> =>
  until(`${count} requests are in flight`, () => engine.server.inFlight().length === count);

describe("the requests in flight", () => {
  test("what waits is answered, more is refused at once, and the session stays", async (context) => {
    const { called, handle, release } = holder();
    const gate = new InFlightGate({ maxInFlight: 1, maxQueue: 1, neverShed: ["/probe"] });
    const engine = await startHttp2Engine(context, handle, { gate });
    const session = await engine.session();
    context.after(() => session.destroy());
    const holding = ask(session, { ":path": "/hold" });
    await inFlight(engine, 1);
    const waiting = ask(session, { ":path": "/waiting" });
    await inFlight(engine, 2);
    const refused = await ask(session, { ":path": "/refused" });
    assert.deepEqual([refused.status, refused.headers["retry-after"], refused.code], [503, "1", 0]);
    assert.equal((await ask(session, { ":path": "/probe" })).text, "answered /probe");
    assert.deepEqual(called, ["/hold", "/probe"]);
    release();
    assert.equal((await holding).text, "answered /hold");
    assert.equal((await waiting).text, "answered /waiting");
    assert.equal((await ask(session, { ":path": "/after" })).text, "answered /after");
  });

  test("a stream that is reset frees its place, and one that waits is never run", async (context) => {
    const { called, handle, release } = holder();
    const gate = new InFlightGate({ maxInFlight: 1, maxQueue: 2 });
    const engine = await startHttp2Engine(context, handle, { gate });
    const session = await engine.session();
    context.after(() => session.destroy());
    const [held, left] = ["/hold", "/left"].map((path) => {
      const stream = session.request({ ":path": path });
      stream.on("error", () => {});
      return stream;
    });
    await inFlight(engine, 2);
    left?.close(8);
    await inFlight(engine, 1);
    const waiting = ask(session, { ":path": "/waiting" });
    await inFlight(engine, 2);
    held?.close(8);
    assert.equal((await waiting).text, "answered /waiting");
    assert.deepEqual(called, ["/hold", "/waiting"]);
    release();
    assert.deepEqual(engine.errors, []);
  });
});

const PLACES = 16;

test("sessions without a request make room for others; one with a request in progress never does", async (context) => {
  const words = ["-b", "127.0.0.1:0", "-w", "1", "--no-control-socket", "--http-protocols", "h1,h2"];
  const app = join(FIXTURES, "slow", "gateway.mjs:handler");
  const command = startCommand(context, [app, ...words, "--worker-connections", `${PLACES}`]);
  await command.ready();
  const port = await command.port();
  const connected = async (): Promise<Socket> => {
    const socket = connect(port, "127.0.0.1");
    cleanUp(context, () => socket.destroy());
    await once(socket, "connect");
    return socket;
  };
  const working = connectHttp2(`http://127.0.0.1:${port}`);
  working.on("error", () => {});
  cleanUp(context, () => working.destroy());
  const holding = ask(working, { ":path": "/hold" });
  await once(working, "remoteSettings");
  const idle = await Promise.all(
    Array.from({ length: PLACES * 2 }, async () => new FrameClient(await connected())),
  );
  const other = new FrameClient(await connected());
  other.send(request(1));
  await other.frame(1, 1);
  await command.line(/\[WARNING\] This worker runs out of places and has closed \d+ connections?: /);
  await until("sessions have been closed", () => idle.some(({ ended }) => ended));
  assert.equal(working.closed || working.destroyed, false);
  assert.equal((await ask(working, { ":path": "/release" })).text, "hello");
  assert.equal((await holding).text, "held");
});

const LARGE_BLOCK = Buffer.concat([Buffer.from([0x82, 0x86, 0x41, 1, 0x61]), field(":path", "/large")]);
const UPLOAD_BLOCK = Buffer.concat([Buffer.from([0x83, 0x86, 0x41, 1, 0x61]), field(":path", "/upload")]);
const MOST = 2 ** 31 - 1;

/** Clients that take all places: what they send, and what is said of them. */
const SLOW_CLIENTS = [
  {
    name: "read nothing from the connection",
    frames: [settings([4, MOST]), windowUpdate(0, MOST - 65_535), request(1, LARGE_BLOCK)],
    reads: false,
    line: /reading too slowly/,
  },
  {
    name: "open no window",
    frames: [settings([4, 1]), request(1, LARGE_BLOCK)],
    reads: true,
    line: /reading too slowly/,
  },
  {
    name: "send no content",
    frames: [settings(), request(1, UPLOAD_BLOCK, 4)],
    reads: true,
    line: /with a slow request body/,
  },
].flatMap((slow) => ["gateway", "listener"].map((app) => ({ ...slow, app })));

describe("sessions whose clients are slow make room for others", { concurrency: true }, () => {
  for (const { name, frames, reads, line, app: file } of SLOW_CLIENTS)
    test(`those that ${name}, of ${file}`, async (context) => {
      const words = ["-b", "127.0.0.1:0", "-w", "1", "--no-control-socket", "--http-protocols", "h1,h2"];
      const app = join(FIXTURES, "slow", `${file}.mjs:handler`);
      const command = startCommand(context, [app, ...words, "--worker-connections", `${PLACES}`]);
      await command.ready();
      const port = await command.port();
      const connected = (): Socket => {
        const socket = connect(port, "127.0.0.1");
        cleanUp(context, () => socket.destroy());
        return socket;
      };
      for (let count = 0; count < PLACES * 2; count += 1) {
        const slow = new FrameClient(connected(), frames[0]);
        slow.send(...frames.slice(1));
        if (!reads) slow.socket.pause();
      }
      await command.line(line);
      const other = new FrameClient(connected());
      other.send(request(1));
      await other.frame(1, 1);
    });
});

for (const { rate, isReset } of [
  { rate: 100_000_000, isReset: true },
  { rate: 10, isReset: false },
])
  test(`a client that takes a little now and then ${isReset ? "loses its stream" : "keeps it"} at ${rate} bytes a second`, async (context) => {
    const timeouts = { ...DEFAULT_TIMEOUTS, body: 500, responseMinRate: rate };
    let end: unknown;
    const engine = await startHttp2Engine(
      context,
      async (_request, respond) => {
        const writer = respond(200);
        try {
          for (;;) await writer.write("x".repeat(10_000));
        } catch (error) {
          end = error;
        }
      },
      { timeouts },
    );
    // A window of no bytes, which opens by 100 at a time.
    const client = new FrameClient(await engine.connect(), settings([4, 0]));
    const reading = setInterval(() => client.send(windowUpdate(1, 100)), 50);
    context.after(() => {
      clearInterval(reading);
      client.socket.destroy();
    });
    client.send(request(1));
    if (isReset) {
      assert.equal((await client.frame(3, 1)).value, 8);
      assert.match(String(end), /ClientGone/);
      assert.ok(
        client.frames.some(({ type }) => type === 0),
        "it has taken some",
      );
      assert.equal(client.goaway, undefined);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 1800));
    assert.equal(end, undefined);
    assert.equal(engine.server.inFlight().length, 1);
  });
