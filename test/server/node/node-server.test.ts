/** node's own server under our limits and our draining, spoken to in raw bytes. */
import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { BodyError } from "../../../src/errors.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from "../../../src/server/server-options.ts";
import { PageMeter } from "../../../src/worker/page-meter.ts";
import { BoardPage } from "../../support/board-page.ts";
import { until } from "../../support/command.ts";
import { statuses } from "../../support/engine.ts";
import { onBothServers } from "../../support/node-engine.ts";
import { SCHEME } from "../../support/tls-front.ts";

const hello: RequestListener = (_request, response) => {
  response.end("hello");
};

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

onBothServers((startNodeEngine) => {
  test("responds, keeps the connection open, and counts requests and connections", async (context) => {
    const { server, client } = await startNodeEngine(context, hello);
    const raw = await client();
    raw.socket.write(GET);
    await until("the first response has arrived", () => raw.received.endsWith("hello"));
    raw.socket.write(GET);
    await until("the second response has arrived", () => raw.received.split("hello").length === 3);
    assert.match(raw.received, /^HTTP\/1\.1 200 OK\r\n/);
    await until("both requests are counted", () => server.requests === 2);
    assert.equal(server.connections, 1);
    assert.deepEqual(server.inFlight(), []);
  });

  test("reports the requests in flight", async (context) => {
    let answer: (() => void) | undefined;
    const { server, client } = await startNodeEngine(context, (_request, response) => {
      answer = () => response.end("late");
    });
    const raw = await client();
    raw.socket.write("POST /slow?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    await until("the request has arrived", () => answer !== undefined);
    const [flight] = server.inFlight();
    assert.equal(flight?.method, "POST");
    assert.equal(flight?.target, "/slow?x=1");
    assert.ok((flight?.age ?? -1) >= 0);
    answer?.();
    await until("the request is done", () => server.inFlight().length === 0);
  });

  describe("limits", () => {
    const limits = { requestLine: 40, fields: 3, fieldSize: 30, body: 10 };
    const cases: [name: string, request: string, status: number][] = [
      ["a request line that is too long", `GET /${"a".repeat(40)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
      ["too many fields", "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n", 431],
      ["a field that is too long", `GET / HTTP/1.1\r\nHost: a\r\nA: ${"a".repeat(30)}\r\n\r\n`, 431],
      ["a Content-Length above the limit", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n", 413],
      [
        "a Content-Length above the limit with Expect: 100-continue",
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n",
        413,
      ],
      [
        "chunked content above the limit",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n",
        413,
      ],
    ];
    for (const [name, request, status] of cases) {
      test(`${name}: responds ${status} and closes the connection`, async (context) => {
        const { client } = await startNodeEngine(
          context,
          async (incoming, response) => {
            try {
              for await (const _chunk of incoming);
              response.end("hello");
            } catch {
              // The content was broken off.
            }
          },
          { limits, onError: (error) => assert.ok(error instanceof BodyError, error) },
        );
        const raw = await client();
        raw.socket.write(request);
        await until("the connection is closed", () => raw.socket.closed);
        assert.match(raw.received, new RegExp(`^HTTP/1\\.1 ${status} .*\r\nconnection: close\r\n`, "is"));
        assert.doesNotMatch(raw.received, /hello/);
      });
    }

    test("serves a request that is within all limits", async (context) => {
      const { client } = await startNodeEngine(
        context,
        async (incoming, response) => {
          let length = 0;
          for await (const chunk of incoming) length += (chunk as Buffer).length;
          response.end(`${length} bytes`);
        },
        { limits },
      );
      const raw = await client();
      raw.socket.write(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n",
      );
      await until("the response has arrived", () => raw.received.endsWith("10 bytes"));
    });
  });

  describe("timeouts", () => {
    test("responds 408 to a head that is never complete", async (context) => {
      const timeouts = { ...DEFAULT_TIMEOUTS, header: 50 };
      const { client } = await startNodeEngine(context, hello, { timeouts });
      const raw = await client();
      raw.socket.write("GET / HTTP/1.1\r\nHost:");
      await until("the connection is closed", () => raw.socket.closed);
      assert.match(raw.received, /^HTTP\/1\.1 408 /);
    });

    test("responds 408 to content that stops arriving, and the app gets an error", async (context) => {
      const timeouts = { ...DEFAULT_TIMEOUTS, body: 50 };
      let seen: unknown;
      const reported: Error[] = [];
      const { client } = await startNodeEngine(
        context,
        async (incoming) => {
          try {
            for await (const _chunk of incoming);
          } catch (error) {
            seen = error;
          }
        },
        { timeouts, onError: (error) => reported.push(error) },
      );
      const raw = await client();
      raw.socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
      await until("the connection is closed", () => raw.socket.closed);
      assert.match(raw.received, /^HTTP\/1\.1 408 /);
      await until("the app has got the error", () => (seen as Error | undefined)?.name === "BodyError");
      assert.deepEqual(
        reported.map((error) => error instanceof BodyError && error.status),
        [408],
        "the log line",
      );
    });

    test("does not time out content that the app reads slowly", async (context) => {
      const timeouts = { ...DEFAULT_TIMEOUTS, body: 400 };
      let read: (() => void) | undefined;
      const { server, client } = await startNodeEngine(
        context,
        (incoming, response) => {
          read = () => {
            incoming.resume();
            incoming.on("end", () => response.end("whole"));
          };
        },
        { timeouts },
      );
      const raw = await client();
      const length = 1_000_000;
      raw.socket.write(
        `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n${"x".repeat(length)}`,
      );
      await until(
        "the request has waited longer than the timeout",
        () => (server.inFlight()[0]?.age ?? 0) > 1200,
      );
      read?.();
      await until("the response has arrived", () => raw.received.endsWith("whole"));
    });

    test("responds 503 if the app sends no head in time, closes the app's request, and logs the error", async (context) => {
      const timeouts = { ...DEFAULT_TIMEOUTS, request: 50 };
      const reported: string[] = [];
      let closed = false;
      let late: (() => void) | undefined;
      const { server, client } = await startNodeEngine(
        context,
        (incoming, response) => {
          response.once("close", () => {
            closed = true;
          });
          incoming.resume().once("end", () => {
            late = () => response.end("late");
          });
        },
        {
          timeouts,
          onError: (error, { method, target }) => reported.push(`${method} ${target}: ${error.message}`),
        },
      );
      const raw = await client();
      raw.socket.write("POST /slow?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
      assert.match(await raw.rest(), /^HTTP\/1\.1 503 [\s\S]*\r\nConnection: close\r\n/);
      await until("the app's request is closed", () => closed);
      late?.();
      await until(
        "nothing is in flight and no connection is open",
        () => server.inFlight().length === 0 && server.connections === 0,
      );
      assert.deepEqual(reported, ["POST /slow?x=1: no response within 0.05 s"]);
    });

    test("does not time out a response that has begun, or an app that has set a longer timeout on the socket", async (context) => {
      const timeouts = { ...DEFAULT_TIMEOUTS, request: 50 };
      for (const path of ["/begun", "/given"]) {
        let answer: (() => void) | undefined;
        const { server, client } = await startNodeEngine(
          context,
          (request, response) => {
            if (path === "/begun") response.flushHeaders();
            else request.setTimeout(60_000);
            answer = () => response.end("late");
          },
          { timeouts },
        );
        const raw = await client();
        raw.socket.write(GET);
        await until(
          "the request has taken longer than the timeout",
          () => (server.inFlight()[0]?.age ?? 0) > 200,
        );
        answer?.();
        await until("the response has arrived", () => /late/.test(raw.received));
        assert.match(raw.received, /^HTTP\/1\.1 200 /);
      }
    });

    test("the timeout of a pipelined request begins when the response before it is complete", async (context) => {
      const timeouts = { ...DEFAULT_TIMEOUTS, request: 50 };
      const answers: (() => void)[] = [];
      const { server, client } = await startNodeEngine(
        context,
        (request, response) => {
          if (request.url === "/1") response.flushHeaders();
          answers.push(() => response.end(`answer ${request.url}`));
        },
        { timeouts },
      );
      const raw = await client();
      raw.socket.write("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
      await until(
        "both requests have waited longer than the timeout",
        () => server.inFlight().filter(({ age }) => age > 200).length === 2,
      );
      for (const answer of answers) answer();
      await until("both responses have arrived", () => /answer \/1[\s\S]*answer \/3/.test(raw.received));
    });

    test("the timeout of the app begins with the last content", async (context) => {
      const { client } = await startNodeEngine(
        context,
        async (incoming, response) => {
          for await (const _chunk of incoming);
          response.end("whole");
        },
        { timeouts: { ...DEFAULT_TIMEOUTS, request: 500 } },
      );
      const raw = await client();
      raw.socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n");
      const end = performance.now() + 1000;
      for (let sent = 0; sent < 20; sent++) {
        raw.socket.write("x");
        await until("the next piece is due", () => performance.now() > end - (19 - sent) * 50);
      }
      await until("the response has arrived", () => raw.received.endsWith("whole"));
    });

    test("a keep-alive timeout of 0 closes the connection after each response", async (context) => {
      const { client } = await startNodeEngine(context, hello, {
        timeouts: { ...DEFAULT_TIMEOUTS, keepAlive: 0 },
      });
      const raw = await client();
      raw.socket.write(GET);
      await until("the connection is closed", () => raw.socket.closed);
      assert.match(raw.received, /connection: close\r\n.*hello$/is);
    });
  });

  describe("draining", () => {
    test("completes the requests in flight, then closes their connections", async (context) => {
      let answer: (() => void) | undefined;
      const { server, client } = await startNodeEngine(context, (_request, response) => {
        answer = () => response.end("late");
      });
      const raw = await client();
      raw.socket.write(GET);
      await until("the request has arrived", () => answer !== undefined);
      const drained = server.drain(10);
      answer?.();
      await drained;
      assert.match(await raw.rest(), /connection: close\r\n.*late$/is);
    });

    test("serves an idle connection during the linger, then closes it", async (context) => {
      const { server, client } = await startNodeEngine(context, hello);
      const used = await client();
      const fresh = await client();
      used.socket.write(GET);
      await until("the first response has arrived", () => used.received.endsWith("hello"));
      const drained = server.drain(300);
      used.socket.write(GET);
      await until("the connection is closed after the second response", () => used.socket.closed);
      assert.match(used.received, /hello.*connection: close\r\n.*hello$/is);
      assert.equal(fresh.socket.closed, false);
      await drained;
      await until("the connection that never sent anything is closed", () => fresh.socket.closed);
    });

    test("a process whose loop was blocked answers the requests that arrived in time", async (context) => {
      const { server, client } = await startNodeEngine(context, hello);
      const used = await client();
      used.socket.write(GET);
      await until("the first response has arrived", () => used.received.endsWith("hello"));
      // Behind the input of a turn: the next begins with the timers.
      await nextTurn();
      const drained = server.drain(50);
      used.socket.write(GET);
      // The loop does not turn before the linger is over.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
      await drained;
      await until("the connection is closed", () => used.socket.closed);
      assert.match(used.received, /hello.*connection: close\r\n.*hello$/is);
    });

    test("a connection whose response began before the drain lingers too", async (context) => {
      let answer: (() => void) | undefined;
      const { server, client } = await startNodeEngine(context, (_request, response) => {
        if (answer !== undefined) {
          response.end("second");
          return;
        }
        response.writeHead(200, { "content-length": 5 }).write("fi");
        answer = () => response.end("rst");
      });
      const raw = await client();
      raw.socket.write(GET);
      await until("the response has begun", () => raw.received.endsWith("fi"));
      const drained = server.drain(0);
      await until("the linger is over", () => server.connections === 1);
      answer?.();
      await drained;
      await until("the connection is closed after its response", () => raw.socket.closed);
      assert.match(raw.received, /first$/);
    });

    test("does not close a connection on which a request is arriving", async (context) => {
      const { server, client } = await startNodeEngine(context, hello);
      const idle = await client();
      const raw = await client();
      raw.socket.write("GET / HTTP/1.1\r\n");
      await until("the server has both connections", () => server.connections === 2);
      const drained = server.drain(200);
      await until("the idle connection is closed", () => idle.ended);
      raw.socket.write("Host: a\r\n\r\n");
      await drained;
      assert.match(await raw.rest(), /connection: close\r\n.*hello$/is);
    });

    test("destroy closes every connection at once", async (context) => {
      const { server, client } = await startNodeEngine(context, () => {});
      const raw = await client();
      raw.socket.write(GET);
      await until("the request has arrived", () => server.inFlight().length === 1);
      server.destroy();
      await until("the connection is closed", () => raw.socket.closed);
      await until("nothing is in flight and no connection is open", () => server.connections === 0);
    });
  });

  describe("upgrade", () => {
    const UPGRADE = "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n";
    const REFUSED: { readonly [what: string]: readonly [bytes: string, status: number] } = {
      "Content-Length": [`${UPGRADE}Content-Length: 5\r\n\r\nhello`, 501],
      "chunked content": [`${UPGRADE}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`, 501],
      "content that has not arrived yet": [`${UPGRADE}Content-Length: 5\r\n\r\n`, 501],
      "no Host": [`${UPGRADE.replace("Host: a\r\n", "")}\r\n`, 400],
      "a field that is too long": [`${UPGRADE}X: ${"x".repeat(DEFAULT_LIMITS.fieldSize)}\r\n\r\n`, 431],
    };
    for (const [what, [bytes, status]] of Object.entries(REFUSED)) {
      test(`refuses an upgrade with ${what} before the app gets it`, async (t) => {
        const seen: string[] = [];
        const { client } = await startNodeEngine(t, () => seen.push("request"), {
          upgrade: (_request, socket) => {
            seen.push("upgrade");
            socket.end();
          },
        });
        const raw = await client();
        raw.send(bytes);
        const answer = await raw.rest();
        assert.deepEqual(statuses(answer), [status]);
        assert.match(answer, /\r\nConnection: close\r\n/);
        assert.deepEqual(seen, []);
      });
    }

    test("treats an upgrade with content as an ordinary request if the app has no upgrade listener", async (t) => {
      const { client } = await startNodeEngine(t, async (request, response) => {
        const pieces: Buffer[] = [];
        for await (const piece of request) pieces.push(piece as Buffer);
        response.setHeader("connection", "close").end(`read ${Buffer.concat(pieces)}`);
      });
      const raw = await client();
      raw.send(`${UPGRADE}Content-Length: 5\r\n\r\nhello`);
      assert.match(await raw.rest(), /^HTTP\/1\.1 200 .*read hello$/s);
    });

    test("passes an upgrade to the app's listener, and its connection stays open after the linger", async (context) => {
      const { server, client } = await startNodeEngine(context, hello, {
        upgrade: (_request, socket) => {
          socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
          socket.pipe(socket);
        },
      });
      const raw = await client();
      raw.socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
      await until("the connection is upgraded", () => raw.received.startsWith("HTTP/1.1 101 "));
      const drained = server.drain(0);
      raw.socket.write("ping");
      await until("the app has echoed", () => raw.received.endsWith("ping"));
      raw.socket.end();
      await drained;
    });

    test("treats an upgrade as an ordinary request if the app has no upgrade listener", async (context) => {
      const { client } = await startNodeEngine(context, hello);
      const raw = await client();
      raw.socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
      await until("the response has arrived", () => raw.received.endsWith("hello"));
      assert.match(raw.received, /^HTTP\/1\.1 200 /);
    });

    test("a reset of an upgraded connection does not end the worker if the app has no error listener", async (context) => {
      const { server, client } = await startNodeEngine(context, hello, {
        upgrade: (_request, socket) => {
          socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
          socket.resume();
        },
      });
      const raw = await client();
      raw.socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
      await until("the connection is upgraded", () => raw.received.startsWith("HTTP/1.1 101 "));
      raw.socket.resetAndDestroy();
      await until("no connection is open", () => server.connections === 0);
    });
  });

  describe("errors of the listener", () => {
    for (const way of ["throws", "rejects"] as const) {
      test(`a listener that ${way}: responds 500, or breaks off a response that has begun, and reports the error`, async (context) => {
        const errors: string[] = [];
        const { client } = await startNodeEngine(
          context,
          (request, response) => {
            if (request.url === "/begun") response.write("half");
            else response.setHeader("content-length", "5");
            if (request.url === "/ended") response.end("hello");
            const error = new Error(`at ${request.url}`);
            if (way === "rejects") return Promise.reject(error) as never;
            throw error;
          },
          { onError: (error, request) => errors.push(`${request.method} ${error.message}`) },
        );
        const fresh = await client();
        fresh.socket.write(GET);
        assert.match(await fresh.rest(), /^HTTP\/1\.1 500 .*\r\n\r\nInternal Server Error\n$/s);
        const begun = await client();
        begun.socket.write(GET.replace("/", "/begun"));
        assert.doesNotMatch(await begun.rest(), /\r\n0\r\n/);
        const ended = await client();
        ended.socket.write(GET.replace("/", "/ended"));
        await until("the response has arrived", () => ended.received.endsWith("hello"));
        assert.deepEqual(errors, ["GET at /", "GET at /begun", "GET at /ended"]);
      });
    }
  });

  test("pipelined requests end once, when their client disconnects", async (context) => {
    let closed = 0;
    const board = new BoardPage(context);
    const page = board.writer();
    const listener: RequestListener = (_request, response) => {
      response.on("close", () => {
        closed += 1;
      });
    };
    const { server, client } = await startNodeEngine(context, listener, { meter: new PageMeter(page) });
    const raw = await client();
    raw.socket.write(GET + GET + GET);
    await until("all requests have arrived", () => server.inFlight().length === 3);
    raw.socket.destroy();
    await until("no request is in flight", () => server.inFlight().length === 0);
    // Node emits it on the first response only, and after the connection's own `close`.
    await until("a response has closed", () => closed > 0);
    page.flush();
    assert.deepEqual(board.counts(), { [`req|GET||${SCHEME}|1.1|client_gone|`]: 3 });
  });
});
