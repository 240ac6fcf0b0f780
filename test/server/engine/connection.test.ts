/** The connection's state machine, from the view of a client that sends raw bytes. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { type Duplex, Readable } from "node:stream";
import { describe, test } from "node:test";
import type { GatewayRequest, Handler, Respond } from "../../../src/gateway/types.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from "../../../src/server/server-options.ts";
import { startEngine, statuses } from "../../support/engine.ts";
import { OVER_TLS } from "../../support/tls-front.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

const hello: Handler = (_request, respond) => respond(200, { "content-type": "text/plain" }, "hello");

const echo: Handler = async (request, respond) => {
  const body = await request.body.bytes();
  respond(200, { "x-target": request.target, "x-trailer": request.trailers["x-t"] ?? "" }, body);
};

function deferred<T = void>(): { promise: Promise<T>; resolve(value: T): void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((yes) => {
    resolve = yes;
  });
  return { promise, resolve };
}

describe("keep-alive and pipelining", () => {
  test("responds to pipelined requests in order, even if the first is slow", async (t) => {
    const slow = deferred();
    const engine = await startEngine(t, async (request, respond) => {
      if (request.path === "/1") await slow.promise;
      respond(200, null, `answer ${request.path}\n`);
      if (request.path === "/2") slow.resolve();
    });
    const client = await engine.connect();
    client.send(
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    slow.resolve();
    await client.until((text) => text.includes("answer /3"));
    assert.deepEqual(client.received.match(/answer \/\d/g), ["answer /1", "answer /2", "answer /3"]);
  });

  test("a request pipelined after one that closes never runs", async (t) => {
    const seen: string[] = [];
    const engine = await startEngine(t, (request, respond) => {
      seen.push(request.path);
      respond(200, null, "x");
    });
    const answer = await engine.exchange(
      "GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    assert.deepEqual(seen, ["/1"]);
    assert.deepEqual(statuses(answer), [200]);
    assert.match(answer, /\r\nConnection: close\r\n/);
  });

  test("a request pipelined after a refused one never runs", async (t) => {
    const seen: string[] = [];
    const engine = await startEngine(t, (request, respond) => {
      seen.push(request.path);
      respond(200, null, "x");
    });
    const answer = await engine.exchange(`GET /1 HTTP/1.1\r\nHost : a\r\n\r\n${GET}`);
    assert.deepEqual(seen, []);
    assert.deepEqual(statuses(answer), [400]);
  });

  test("HTTP/1.0 closes by default, and keeps the connection on request and says so", async (t) => {
    const engine = await startEngine(t, hello);
    assert.match(await engine.exchange("GET / HTTP/1.0\r\n\r\n"), /Connection: close/);
    const client = await engine.connect();
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    await client.until((text) => text.endsWith("hello"));
    assert.match(client.received, /Connection: keep-alive/);
    client.send("GET / HTTP/1.0\r\n\r\n");
    assert.deepEqual(statuses(await client.rest()), [200, 200]);
  });

  test("content of unknown length to HTTP/1.0 ends with the connection", async (t) => {
    const engine = await startEngine(t, (_request, respond) => respond(200, null, ["a", "b", "c"]));
    const answer = await engine.exchange("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert.match(answer, /Connection: close\r\n\r\nabc$/);
    assert.doesNotMatch(answer, /Transfer-Encoding/);
  });

  test("a client that half-closes gets every response", async (t) => {
    const engine = await startEngine(t, async (request, respond) => {
      await new Promise((resolve) => setImmediate(resolve));
      respond(200, null, request.path);
    });
    const answer = await engine.exchange(
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    assert.deepEqual(statuses(answer), [200, 200]);
  });

  test("an idle connection is closed without a response, a slow head gets 408", async (t) => {
    const timeouts = { ...DEFAULT_TIMEOUTS, header: 60, body: 60, keepAlive: 60 };
    const engine = await startEngine(t, hello, { timeouts });
    const idle = await engine.connect();
    assert.equal(await idle.rest(), "");
    const slow = await engine.connect();
    slow.send("GET / HT");
    assert.deepEqual(statuses(await slow.rest()), [408]);
  });
});

describe("request bodies", () => {
  test("arrive complete, sized and chunked, with trailers", async (t) => {
    const engine = await startEngine(t, echo);
    const answer = await engine.exchange(
      "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" +
        "POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\nX-T: v\r\n\r\n",
    );
    assert.deepEqual(statuses(answer), [200, 200]);
    assert.match(answer, /x-target: \/a\r\n[\s\S]*\r\n\r\nhelloHTTP/);
    assert.match(answer, /x-trailer: v\r\n[\s\S]*\r\n\r\nabcdefg$/);
  });

  test("100 Continue is sent on the first read, and only to a client that expects it", async (t) => {
    const engine = await startEngine(t, async (request, respond) => {
      if (request.path === "/read") await request.body.bytes();
      respond(200, null, "done");
    });
    const head = "Host: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    const client = await engine.connect();
    client.send(`POST /read HTTP/1.1\r\n${head}`);
    await client.until((text) => text.includes("100 Continue\r\n\r\n"));
    client.send("ok");
    await client.until((text) => text.endsWith("done"));
    assert.deepEqual(statuses(client.received), [100, 200]);
    client.send(`POST /leave HTTP/1.1\r\n${head}`);
    assert.deepEqual(statuses(await client.rest()), [100, 200, 200]);
    assert.match(client.received, /Connection: close\r\n\r\ndone$/);
  });

  test("a small unread body is discarded and the connection kept", async (t) => {
    const engine = await startEngine(t, (request, respond) => respond(200, null, request.path));
    const answer = await engine.exchange(
      `POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /GET /2 HTTP/1.1\r\nHost: a\r\n\r\n`,
    );
    assert.deepEqual(statuses(answer), [200, 200]);
    assert.match(answer, /\r\n\r\n\/2$/);
  });

  test("a large unread body ends the connection, and the client can read the response", async (t) => {
    const engine = await startEngine(t, hello);
    const client = await engine.connect();
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 800000\r\n\r\n${"x".repeat(400_000)}`);
    const answer = await client.rest();
    assert.match(answer, /Connection: close\r\n\r\nhello$/);
  });

  test("a body over the limit gets 413, declared or not", async (t) => {
    const engine = await startEngine(t, echo, { limits: { ...DEFAULT_LIMITS, body: 10 } });
    assert.deepEqual(
      statuses(await engine.exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n")),
      [413],
    );
    const chunked =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n6\r\nabcdef\r\n0\r\n\r\n";
    assert.deepEqual(statuses(await engine.exchange(chunked)), [413]);
  });

  test("a body that ends early, breaks its framing or stalls never looks complete", async (t) => {
    const outcomes: string[] = [];
    const engine = await startEngine(
      t,
      async (request, respond) => {
        try {
          const body = await request.body.text();
          outcomes.push(`complete: ${body}`);
        } catch (error) {
          outcomes.push(String((error as { status?: number }).status));
          throw error;
        }
        respond(200, null, "whole");
      },
      { timeouts: { ...DEFAULT_TIMEOUTS, header: 100, body: 100, keepAlive: 1000 } },
    );
    const sized = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello";
    assert.deepEqual(statuses(await engine.exchange(sized)), [400]);
    const broken = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n";
    assert.deepEqual(statuses(await engine.exchange(broken)), [400]);
    const stalled = await engine.connect();
    stalled.send(sized);
    assert.deepEqual(statuses(await stalled.rest()), [408]);
    assert.deepEqual(outcomes, ["400", "400", "408"]);
  });

  test("a slow reader of a body slows down the sender", async (t) => {
    const read = deferred();
    const engine = await startEngine(t, async (request, respond) => {
      let size = 0;
      const chunks = request.body[Symbol.asyncIterator]();
      size += (await chunks.next()).value?.length ?? 0;
      await read.promise;
      for (let next = await chunks.next(); next.done !== true; next = await chunks.next())
        size += next.value.length;
      respond(200, null, String(size));
    });
    const client = await engine.connect();
    const total = 30_000_000;
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${total}\r\n\r\n`);
    const block = Buffer.alloc(100_000);
    let sent = 0;
    while (sent < total) {
      sent += block.length;
      if (!client.socket.write(block)) {
        // Wait for the kernel's buffers, but check that they stop taking more.
        const taken = await Promise.race([
          once(client.socket, "drain").then(() => true),
          new Promise<boolean>((resolve) => setTimeout(resolve, 300, false)),
        ]);
        if (!taken) break;
      }
    }
    assert.ok(sent < total, "the sender was never held back");
    read.resolve();
    while (sent < total) {
      sent += block.length;
      if (!client.socket.write(block)) await once(client.socket, "drain");
    }
    await client.until((text) => text.endsWith(String(total)), "the size", 20_000);
  });
});

describe("responses", () => {
  test("HEAD has the head of GET and no content", async (t) => {
    const engine = await startEngine(t, (request, respond) => {
      if (request.path === "/text") respond(200, { "content-type": "text/plain" }, "hello");
      else if (request.path === "/stream") respond(200, null, ["a", "b"]);
      else respond(200, { "content-length": "12345" }).end();
    });
    for (const path of ["/text", "/stream", "/writer"]) {
      const answer = await engine.exchange(`HEAD ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      assert.ok(answer.endsWith("\r\n\r\n"), answer);
      if (path === "/text") assert.match(answer, /Content-Length: 5\r\n/);
      if (path === "/writer") assert.match(answer, /Content-Length: 12345\r\n/);
    }
  });

  test("204 and 304 have no content and no framing", async (t) => {
    const engine = await startEngine(t, (request, respond) =>
      respond(Number(request.path.slice(1)), null, "nope"),
    );
    for (const status of [204, 304]) {
      const answer = await engine.exchange(`GET /${status} HTTP/1.1\r\nHost: a\r\n\r\n`);
      assert.deepEqual(statuses(answer), [status]);
      assert.ok(answer.endsWith("\r\n\r\n"), answer);
      assert.doesNotMatch(answer, /Transfer-Encoding/);
      if (status === 204) assert.doesNotMatch(answer, /Content-Length/);
    }
  });

  test("text beyond ASCII is UTF-8 with the right length, header values are Latin-1", async (t) => {
    const engine = await startEngine(t, (_request, respond) =>
      respond(200, { "x-name": "J\xfcrgen" }, "gr\xfc\xdfe \u20ac"),
    );
    const answer = await engine.exchange(GET);
    assert.match(answer, /x-name: J\xfcrgen\r\n/);
    assert.match(answer, /Content-Length: 11\r\n/);
    assert.equal(
      Buffer.from(answer.split("\r\n\r\n")[1] as string, "latin1").toString("utf8"),
      "gr\xfc\xdfe \u20ac",
    );
  });

  test("a header that could split the response is refused, and becomes a 500", async (t) => {
    const engine = await startEngine(t, (_request, respond) =>
      respond(200, { "x-a": "b\r\nx-evil: 1" }, "hello"),
    );
    const answer = await engine.exchange(GET);
    assert.deepEqual(statuses(answer), [500]);
    assert.doesNotMatch(answer, /x-evil/);
    assert.match(engine.errors[0]?.message ?? "", /x-a/);
  });

  test("an exception is a 500 before the head and a broken connection after it", async (t) => {
    const engine = await startEngine(t, async (request, respond) => {
      if (request.path === "/before") throw new Error("before");
      const writer = respond(200);
      await writer.write("half");
      throw new Error("behind");
    });
    assert.deepEqual(statuses(await engine.exchange("GET /before HTTP/1.1\r\nHost: a\r\n\r\n")), [500]);
    const answer = await engine.exchange("GET /behind HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.deepEqual(statuses(answer), [200]);
    assert.ok(!answer.includes("\r\n0\r\n"), "a truncated answer looked complete");
    assert.deepEqual(
      engine.errors.map((error) => error.message),
      ["before", "behind"],
    );
  });

  test("responding twice throws in the app, and the first response stands", async (t) => {
    let thrown: unknown;
    const engine = await startEngine(t, (_request, respond) => {
      respond(200, null, "first");
      try {
        respond(200, null, "second");
      } catch (error) {
        thrown = error;
      }
    });
    assert.match(await engine.exchange(GET), /first$/);
    assert.match(String(thrown), /twice/);
  });

  test("a late second response does not reach the next request", async (t) => {
    let late: (() => void) | undefined;
    const engine = await startEngine(t, (request, respond) => {
      if (request.path === "/1") late = () => respond(200, null, "WRONG");
      else assert.throws(() => late?.(), /twice/);
      respond(200, null, request.path);
    });
    const answer = await engine.exchange(
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    assert.doesNotMatch(answer, /WRONG/);
    assert.deepEqual(statuses(answer), [200, 200]);
  });

  test("chunks, trailers and early hints", async (t) => {
    const engine = await startEngine(t, async (_request, respond) => {
      respond.informational(103, { link: "</a.css>; rel=preload" });
      const writer = respond(200, { trailer: "x-sum" });
      await writer.write("one");
      await writer.write(Buffer.from("two"));
      await writer.end("\xfc", { "x-sum": "3" });
    });
    const answer = await engine.exchange(GET);
    assert.deepEqual(statuses(answer), [103, 200]);
    assert.match(answer, /\r\n\r\n3\r\none\r\n3\r\ntwo\r\n2\r\n\xc3\xbc\r\n0\r\nx-sum: 3\r\n\r\n$/);
  });

  test("content shorter or longer than its content-length breaks the connection", async (t) => {
    const engine = await startEngine(t, async (request, respond) => {
      const writer = respond(200, { "content-length": "5" });
      await writer.write(request.path === "/short" ? "abc" : "abcdefg");
      await writer.end();
    });
    for (const path of ["/short", "/long"]) {
      const answer = await engine.exchange(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      assert.ok(!answer.includes("abcdefg"), answer);
    }
    assert.equal(engine.errors.length, 2);
  });

  test("a slow client slows down the writer", async (t) => {
    const held = deferred();
    let written = 0;
    let memory = 0;
    const engine = await startEngine(t, async (_request, respond) => {
      const writer = respond(200);
      const block = Buffer.alloc(65536, "x");
      const before = process.memoryUsage().rss;
      for (let count = 0; count < 1000; count += 1) {
        const room = writer.write(block);
        const waited = await Promise.race([
          room.then(() => false),
          new Promise((yes) => setTimeout(yes, 300, true)),
        ]);
        if (waited === true) {
          memory = process.memoryUsage().rss - before;
          held.resolve();
        }
        await room;
        written += block.length;
      }
      await writer.end();
    });
    const client = await engine.connect();
    client.socket.pause();
    client.send(GET);
    await held.promise;
    assert.ok(written < 65536 * 1000 && memory < 64_000_000, `written ${written}, memory ${memory}`);
    client.socket.removeAllListeners("data");
    let size = 0;
    let tail = "";
    client.socket.on("data", (text: string) => {
      size += text.length;
      tail = text.slice(-5);
      if (tail === "0\r\n\r\n") client.socket.end();
    });
    client.socket.resume();
    await once(client.socket, "close");
    assert.ok(size > 65536 * 1000);
  });

  test("a slow client gets a large last response completely", async (t) => {
    const size = 30_000_000;
    const engine = await startEngine(t, (_request, respond) => respond(200, null, Buffer.alloc(size, "x")), {
      timeouts: { ...DEFAULT_TIMEOUTS, header: 2000, body: 2000, keepAlive: 40 },
    });
    const client = await engine.connect();
    client.socket.removeAllListeners("data");
    let received = 0;
    let paused = 0;
    client.socket.on("data", (text: string) => {
      received += text.length;
      // Slower than the linger, but always making progress.
      if (received < (paused + 1) * 4_000_000) return;
      paused += 1;
      client.socket.pause();
      setTimeout(() => client.socket.resume(), 400);
    });
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    await once(client.socket, "end", { signal: AbortSignal.timeout(15_000) });
    assert.ok(received > size, `${received} bytes`);
    client.socket.destroy();
  });

  test("a client that reads only after sending everything still gets the 413", async (t) => {
    const engine = await startEngine(t, echo, { limits: { ...DEFAULT_LIMITS, body: 1000 } });
    const client = await engine.connect();
    client.socket.pause();
    const size = 20_000_000;
    const head = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`;
    await new Promise<void>((resolve, reject) => {
      client.socket.once("error", reject);
      client.socket.write(Buffer.concat([Buffer.from(head), Buffer.alloc(size)]), () => resolve());
    });
    client.socket.resume();
    assert.match(await client.rest(), /^HTTP\/1\.1 413 .*too large\n$/s);
  });

  test("repeated waiting for a client leaves no listeners behind", async (t) => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): number => warnings.push(warning);
    process.on("warning", onWarning);
    t.after(() => process.off("warning", onWarning));
    const engine = await startEngine(t, async (_request, respond) => {
      const writer = respond(200);
      const block = Buffer.alloc(1_000_000);
      for (let count = 0; count < 30; count += 1) await writer.write(block);
      await writer.end();
    });
    const client = await engine.connect();
    client.socket.removeAllListeners("data");
    client.socket.resume();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    await once(client.socket, "end");
    assert.deepEqual(warnings, []);
  });

  test("a client that reads nothing is disconnected", async (t) => {
    const engine = await startEngine(t, (_request, respond) => respond(200, null, Buffer.alloc(30_000_000)), {
      timeouts: { ...DEFAULT_TIMEOUTS, header: 2000, body: 100, keepAlive: 2000 },
    });
    const client = await engine.connect();
    client.socket.pause();
    client.send(GET);
    const deadline = Date.now() + 5000;
    while (engine.server.requests === 0 || engine.server.connections > 0) {
      assert.ok(Date.now() < deadline, "the connection is still there");
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    client.socket.destroy();
  });

  test("a stream that HEAD does not send is closed", async (t) => {
    const source = Readable.from(["a", "b"]);
    const engine = await startEngine(t, (_request, respond) => respond(200, null, source));
    await engine.exchange("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.ok(source.destroyed);
  });

  test("the writer's promises reject when the client is gone", async (t) => {
    const outcome = deferred<string>();
    const aborted = deferred();
    const engine = await startEngine(t, async (request, respond) => {
      request.signal.addEventListener("abort", () => aborted.resolve());
      const writer = respond(200);
      try {
        for (;;) {
          await writer.write("x".repeat(10_000));
          await new Promise((resolve) => setImmediate(resolve));
        }
      } catch (error) {
        outcome.resolve((error as Error).name);
      }
    });
    const client = await engine.connect();
    client.send(GET);
    await client.until((text) => text.length > 1000);
    client.socket.destroy();
    assert.equal(await outcome.promise, "ClientGone");
    await aborted.promise;
    assert.deepEqual(engine.errors, []);
  });

  test("a stream is closed when its client disconnects", async (t) => {
    const closed = deferred();
    const engine = await startEngine(t, (_request, respond) => {
      respond(
        200,
        null,
        (async function* () {
          try {
            for (;;) {
              yield "x".repeat(1000);
              await new Promise((resolve) => setImmediate(resolve));
            }
          } finally {
            closed.resolve();
          }
        })(),
      );
    });
    const client = await engine.connect();
    client.send(GET);
    await client.until((text) => text.length > 1000);
    client.socket.destroy();
    await closed.promise;
  });
});

describe("the request timeout", () => {
  const timeouts = { ...DEFAULT_TIMEOUTS, request: 80 };

  test("sends 503, aborts the signal, and discards a later response of the app", async (t) => {
    const late = deferred<Respond>();
    const reason = deferred<unknown>();
    const engine = await startEngine(
      t,
      (request, respond) => {
        request.signal.addEventListener("abort", () => reason.resolve(request.signal.reason));
        late.resolve(respond);
      },
      { timeouts },
    );
    const client = await engine.connect();
    client.send(GET);
    assert.deepEqual(statuses(await client.rest()), [503]);
    assert.equal(((await reason.promise) as Error).name, "RequestAborted");
    const respond = await late.promise;
    const stream = Readable.from(["late"]);
    respond(200, null, stream);
    assert.ok(stream.destroyed);
    assert.throws(() => respond(200, null, "later"), /twice/);
    assert.match(engine.errors[0]?.message ?? "", /no response within 0.08 s/);
  });

  test("restarts with each piece of content", async (t) => {
    const engine = await startEngine(t, echo, { timeouts: { ...DEFAULT_TIMEOUTS, request: 500 } });
    const client = await engine.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n");
    for (let sent = 0; sent < 20; sent++) {
      client.send("x");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await client.until((text) => text.endsWith("x".repeat(20)));
    assert.match(client.received, /^HTTP\/1\.1 200 /);
  });

  test("can be extended by the app, and ends when the response begins", async (t) => {
    const engine = await startEngine(
      t,
      async (request, respond) => {
        if (request.path === "/extended") request.extend(5000);
        const writer = respond(200);
        if (request.path === "/begun") await writer.flush();
        await new Promise((resolve) => setTimeout(resolve, 300));
        await writer.end("late");
      },
      { timeouts },
    );
    for (const path of ["/extended", "/begun"]) {
      assert.deepEqual(
        statuses(await engine.exchange(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)),
        [200],
        path,
      );
    }
  });
});

test("a response to a client that is gone is not an error of the app", {
  skip: OVER_TLS && "the system reports a reset once, and that is to the write of the session tickets",
}, async (t) => {
  const late = deferred<Respond>();
  const gone = deferred();
  const engine = await startEngine(t, (request, respond) => {
    request.signal.addEventListener("abort", () => gone.resolve());
    late.resolve(respond);
  });
  const client = await engine.connect();
  client.send(GET);
  const respond = await late.promise;
  client.socket.resetAndDestroy();
  await gone.promise;
  await assert.rejects(respond(200).write("x"), { name: "ClientGone" });
  assert.deepEqual(engine.errors, []);
});

describe("upgrade", () => {
  test("hands over the connection with the bytes already received", async (t) => {
    const engine = await startEngine(t, {
      handle: hello,
      upgrade: (_request, respond) => {
        const duplex = respond.upgrade({ connection: "Upgrade", upgrade: "echo" });
        duplex.on("data", (bytes: Buffer) => duplex.write(bytes.toString().toUpperCase()));
        duplex.on("end", () => duplex.end("bye"));
      },
    });
    const client = await engine.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly");
    await client.until((text) => text.endsWith("EARLY"));
    client.send(" late");
    await client.until((text) => text.endsWith("EARLY LATE"));
    client.socket.end();
    assert.match(await client.rest(), /^HTTP\/1\.1 101 [\s\S]*EARLY LATEbye$/);
  });

  test("the timeout of an upgraded connection is the app's", async (t) => {
    const engine = await startEngine(t, {
      handle: hello,
      upgrade: (_request, respond) => {
        const duplex = respond.upgrade({ connection: "Upgrade", upgrade: "x" }) as Duplex &
          Pick<Socket, "setTimeout">;
        duplex.setTimeout(30, () => duplex.write("timeout"));
      },
    });
    const client = await engine.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    await client.until((text) => text.endsWith("timeout"));
    assert.equal(client.ended, false);
    client.socket.destroy();
  });

  test("an app may ignore the request", async (t) => {
    const engine = await startEngine(t, hello);
    const answer = await engine.exchange(
      `GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n${GET}`,
    );
    assert.deepEqual(statuses(answer), [200, 200]);
  });

  test("is refused for a request that did not ask for it", async (t) => {
    const engine = await startEngine(t, (_request, respond) => {
      respond.upgrade();
    });
    assert.deepEqual(statuses(await engine.exchange(GET)), [500]);
  });
});

describe("draining", () => {
  test("finishes requests in flight with Connection: close, and closes idle connections after the linger", async (t) => {
    const slow = deferred<GatewayRequest>();
    const go = deferred();
    const engine = await startEngine(t, async (request, respond) => {
      if (request.path === "/slow") {
        slow.resolve(request);
        await go.promise;
      }
      respond(200, null, "answer");
    });
    const idle = await engine.connect();
    idle.send(GET);
    await idle.until((text) => text.endsWith("answer"));
    const busy = await engine.connect();
    busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    await slow.promise;
    const late = await engine.connect();
    late.send(GET);
    await late.until((text) => text.endsWith("answer"));
    const drained = engine.server.drain(300);
    late.send(GET);
    assert.match(await late.rest(), /Connection: close\r\n\r\nanswer$/);
    go.resolve();
    assert.match(await busy.rest(), /Connection: close\r\n\r\nanswer$/);
    assert.doesNotMatch(await idle.rest(), /Connection: close/);
    await drained;
    assert.equal(engine.server.connections, 0);
  });
});

test("defaults are nginx's limits, otherwise gunicorn's", () => {
  assert.deepEqual(
    [DEFAULT_LIMITS.requestLine, DEFAULT_LIMITS.fields, DEFAULT_LIMITS.fieldSize],
    [8190, 100, 32_768],
  );
  assert.equal(DEFAULT_TIMEOUTS.keepAlive, 75_000);
});
