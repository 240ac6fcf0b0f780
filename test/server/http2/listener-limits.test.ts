/** Node listeners over HTTP/2: limits, timeouts, floods and drains are those of gateway apps and of HTTP/1.1. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, test } from "node:test";
import { InFlightGate } from "../../../src/server/in-flight-gate.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from "../../../src/server/server-options.ts";
import { until } from "../../support/command.ts";
import { ask } from "../../support/http2-engine.ts";
import {
  FrameClient,
  frame,
  POST,
  request,
  reset,
  settings,
  windowUpdate,
} from "../../support/http2-frames.ts";
import { type Http2Listener, startHttp2Listener } from "../../support/http2-listener.ts";

type Listener = (request: IncomingMessage, response: ServerResponse) => unknown;

/** Answers `/hold` when it is told to, and all else at once. */
function holder() {
  const called: string[] = [];
  const held: (() => void)[] = [];
  const listener: Listener = ({ url = "" }, response) => {
    called.push(url);
    const answer = (): unknown => response.setHeader("x", "1").end(`answered ${url}`);
    if (url === "/hold") held.push(answer);
    else answer();
  };
  const release = (): void => {
    for (const answer of held.splice(0)) answer();
  };
  return { called, listener, release };
}

const inFlight = (served: Http2Listener, count: number): Promise<unknown> =>
  until(`${count} requests are in flight`, () => served.server.inFlight().length === count);

describe("the requests in flight", () => {
  test("what waits is answered, more is refused at once, and a reset stream is never run", async (context) => {
    const { called, listener, release } = holder();
    const gate = new InFlightGate({ maxInFlight: 1, maxQueue: 1, neverShed: ["/probe"] });
    const served = await startHttp2Listener(context, listener, { gate });
    const session = await served.session();
    const client = new FrameClient(await served.connect());
    const holding = ask(session, { ":path": "/hold" });
    await inFlight(served, 1);
    client.send(request(1));
    await inFlight(served, 2);
    const refused = await ask(session, { ":path": "/refused" });
    assert.deepEqual([refused.status, refused.headers["retry-after"], refused.code], [503, "1", 0]);
    assert.equal((await ask(session, { ":path": "/probe" })).text, "answered /probe");
    client.send(reset(1));
    await inFlight(served, 1);
    const waiting = ask(session, { ":path": "/waiting" });
    await inFlight(served, 2);
    release();
    assert.equal((await holding).text, "answered /hold");
    assert.equal((await waiting).text, "answered /waiting");
    assert.deepEqual(called, ["/hold", "/probe", "/waiting"]);
    // Those that were refused or left are no work.
    assert.equal(served.server.requests, 3);
    assert.deepEqual(served.errors, []);
  });
});

describe("the content", () => {
  const read: Listener = async (request, response) => {
    let size = 0;
    for await (const piece of request) size += piece.length;
    response.end(`${size} bytes`);
  };

  test("more than the limit is refused, whether it is declared or not", async (context) => {
    const served = await startHttp2Listener(context, read, { limits: { ...DEFAULT_LIMITS, body: 10 } });
    const session = await served.session();
    const post = { ":method": "POST" };
    assert.equal((await ask(session, { ...post, "content-length": "11" }, "01234567890")).status, 413);
    assert.equal((await ask(session, post, "01234567890")).status, 413);
    assert.equal((await ask(session, post, "0123456789")).text, "10 bytes");
    await inFlight(served, 0);
    assert.match(String(served.errors), /more than 10 bytes/);
  });

  test("that does not arrive is refused, and time in which the app does not read does not count", async (context) => {
    const timeouts = { ...DEFAULT_TIMEOUTS, body: 200 };
    const slow: Listener = async (request, response) => {
      if (request.url === "/unread") await new Promise((resolve) => setTimeout(resolve, 900));
      return await read(request, response);
    };
    const served = await startHttp2Listener(context, slow, { timeouts });
    const client = new FrameClient(await served.connect());
    client.send(request(1, POST, 4), frame(0, 0, 1, Buffer.from("half")));
    assert.equal((await client.frame(1, 1)).streamId, 1);
    const session = await served.session();
    const content = Buffer.alloc(500_000);
    const unread = await ask(session, { ":method": "POST", ":path": "/unread" }, content);
    assert.equal(unread.text, "500000 bytes");
    assert.match(String(served.errors), /took too long to arrive/);
  });

  test("trailers are held to the rules of heads", async (context) => {
    const served = await startHttp2Listener(context, read);
    const session = await served.session();
    const stream = session.request({ ":method": "POST", ":path": "/" }, { waitForTrailers: true });
    stream.on("error", () => {});
    stream.on("wantTrailers", () => stream.sendTrailers({ "content-length": "3" }));
    const responded = once(stream, "response");
    stream.end("abc");
    assert.equal((await responded)[0][":status"], 400);
    await once(stream.resume(), "close");
    // The stream ends, and with it the request that its listener reads.
    await until("the session is idle", () => served.server.connectionStates().idle === 1);
    assert.match(String(served.errors), /content-length is not allowed in a trailer section/);
  });
});

test("a response that does not come is a 503, and what the app does later has no effect", async (context) => {
  const timeouts = { ...DEFAULT_TIMEOUTS, request: 200 };
  let after: unknown = "nothing";
  const served = await startHttp2Listener(
    context,
    (_request: IncomingMessage, response: ServerResponse) => {
      setTimeout(() => {
        try {
          response.setHeader("x", "1").appendHeader("x", "2").removeHeader("x");
          response.writeHead(200, { y: "1" }).write("late");
          response.writeContinue();
          response.writeEarlyHints({ link: "</a>" });
          after = response.end("late");
        } catch (error) {
          after = error;
        }
      }, 900);
    },
    { timeouts },
  );
  const session = await served.session();
  const answer = await ask(session);
  assert.deepEqual([answer.status, answer.text], [503, "503 Service Unavailable\n"]);
  await until("the app has gone on", () => after !== "nothing");
  assert.ok(!(after instanceof Error), String(after));
  assert.match(String(served.errors), /no response within 0.2 s/);
  assert.equal(session.closed, false);
});

test("a client that resets while the app responds cannot make it throw", async (context) => {
  const thrown: unknown[] = [];
  const ended: string[] = [];
  const served = await startHttp2Listener(context, async (_: IncomingMessage, response: ServerResponse) => {
    response.on("finish", () => ended.push("finish")).on("close", () => ended.push("close"));
    try {
      await once(response, "close");
      response.setHeader("x", "1").writeHead(200);
      response.write("a");
      response.writeEarlyHints({ link: "</a>" });
      response.end("b");
    } catch (error) {
      thrown.push(error);
    }
  });
  const client = new FrameClient(await served.connect());
  client.send(request(1));
  await inFlight(served, 1);
  client.send(reset(1));
  await until("it has gone on", () => ended.length > 0);
  await inFlight(served, 0);
  assert.deepEqual([thrown, ended, served.errors], [[], ["close"], []]);
});

for (const { rate, isReset } of [
  { rate: 100_000_000, isReset: true },
  { rate: 10, isReset: false },
])
  test(`a slow reader ${isReset ? "loses its stream" : "keeps it"} at ${rate} bytes a second`, async (context) => {
    const timeouts = { ...DEFAULT_TIMEOUTS, body: 400, responseMinRate: rate };
    let isClosed = false;
    const served = await startHttp2Listener(
      context,
      (_: IncomingMessage, response: ServerResponse) => {
        response.on("close", () => {
          isClosed = true;
        });
        response.end("x".repeat(1_000_000));
      },
      { timeouts },
    );
    const client = new FrameClient(await served.connect(), settings([4, 0]));
    const reading = setInterval(() => client.send(windowUpdate(1, 100)), 50);
    context.after(() => clearInterval(reading));
    client.send(request(1));
    if (isReset) {
      assert.equal((await client.frame(3, 1)).value, 8);
      await until("the app knows", () => isClosed);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 1200));
    assert.deepEqual([isClosed, served.server.inFlight().length], [false, 1]);
  });

test("rapid reset ends its session and no other, with a bounded number of handlers", async (context) => {
  let running = 0;
  let most = 0;
  const served = await startHttp2Listener(
    context,
    async (_: IncomingMessage, response: ServerResponse) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 300));
      running -= 1;
      response.end("ok");
    },
    { sessions: { maxConcurrentStreams: 10 } },
  );
  const other = await served.session();
  const client = new FrameClient(await served.connect());
  for (let index = 0; index < 1000 && client.goaway === undefined; index += 1) {
    client.send(request(2 * index + 1), reset(2 * index + 1));
    if (index % 50 === 49) await new Promise((resolve) => setImmediate(resolve));
  }
  await client.until(() => client.goaway !== undefined, "a GOAWAY");
  assert.equal(client.goaway, 11);
  assert.ok(most > 0 && most <= 20, `${most} handlers at once`);
  assert.equal((await ask(other)).text, "ok");
});

test("Connection: close, the number of requests and a drain end the session when its requests are done", async (context) => {
  const { listener, release } = holder();
  const served = await startHttp2Listener(
    context,
    (request: IncomingMessage, response: ServerResponse) => {
      if (request.url === "/close") response.setHeader("Connection", "close");
      listener(request, response);
    },
    { connectionRequests: 3 },
  );
  const closing = await served.session();
  const held = ask(closing, { ":path": "/hold" });
  assert.equal((await ask(closing, { ":path": "/close" })).headers.connection, undefined);
  await until("it is told", () => closing.closed);
  release();
  assert.equal((await held).text, "answered /hold");
  await until("it is closed", () => closing.destroyed);

  const counted = await served.session();
  for (const _ of [1, 2, 3]) assert.equal((await ask(counted)).status, 200);
  await until("it is closed", () => counted.destroyed);

  const draining = await served.session();
  const last = ask(draining, { ":path": "/hold" });
  await inFlight(served, 1);
  const drained = served.server.drain(300);
  await until("it is told", () => draining.closed);
  release();
  assert.equal((await last).text, "answered /hold");
  await drained;
  assert.equal(served.server.connections, 0);
});
