/** node's own server under our limits and our draining, spoken to in raw bytes. */
import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { BodyError } from "../../../src/errors.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from "../../../src/server/server-options.ts";
import { until } from "../../support/command.ts";
import { statuses } from "../../support/engine.ts";
import { startNodeEngine } from "../../support/node-engine.ts";

const hello: RequestListener = (_request, response) => {
  response.end("hello");
};

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

test("answers, keeps the connection, and counts", async (context) => {
  const { server, client } = await startNodeEngine(context, hello);
  const raw = await client();
  raw.socket.write(GET);
  await until("the first answer is there", () => raw.received.endsWith("hello"));
  raw.socket.write(GET);
  await until("the second answer is there", () => raw.received.split("hello").length === 3);
  assert.match(raw.received, /^HTTP\/1\.1 200 OK\r\n/);
  await until("both are counted", () => server.requests === 2);
  assert.equal(server.connections, 1);
  assert.deepEqual(server.inFlight(), []);
});

test("tells what is in flight", async (context) => {
  let answer: (() => void) | undefined;
  const { server, client } = await startNodeEngine(context, (_request, response) => {
    answer = () => response.end("late");
  });
  const raw = await client();
  raw.socket.write("POST /slow?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  await until("the request is there", () => answer !== undefined);
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
    ["a long request line", `GET /${"a".repeat(40)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
    ["many fields", "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n", 431],
    ["a long field", `GET / HTTP/1.1\r\nHost: a\r\nA: ${"a".repeat(30)}\r\n\r\n`, 431],
    ["much declared content", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n", 413],
    [
      "much declared content that waits for a 100",
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n",
      413,
    ],
    [
      "much content in chunks",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n",
      413,
    ],
  ];
  for (const [name, request, status] of cases) {
    test(`${name} is answered with ${status}, and the connection closed`, async (context) => {
      const { client } = await startNodeEngine(
        context,
        async (incoming, response) => {
          try {
            for await (const _chunk of incoming);
            response.end("hello");
          } catch {
            // It was broken off.
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

  test("what is within them is served", async (context) => {
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
    await until("the answer is there", () => raw.received.endsWith("10 bytes"));
  });
});

describe("timeouts", () => {
  test("a head that does not end is answered with 408", async (context) => {
    const timeouts = { ...DEFAULT_TIMEOUTS, header: 50 };
    const { client } = await startNodeEngine(context, hello, { timeouts });
    const raw = await client();
    raw.socket.write("GET / HTTP/1.1\r\nHost:");
    await until("the connection is closed", () => raw.socket.closed);
    assert.match(raw.received, /^HTTP\/1\.1 408 /);
  });

  test("content that stands still is answered with 408, and the app sees an error", async (context) => {
    const timeouts = { ...DEFAULT_TIMEOUTS, body: 50 };
    let seen: unknown;
    const told: Error[] = [];
    const { client } = await startNodeEngine(
      context,
      async (incoming) => {
        try {
          for await (const _chunk of incoming);
        } catch (error) {
          seen = error;
        }
      },
      { timeouts, onError: (error) => told.push(error) },
    );
    const raw = await client();
    raw.socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    await until("the connection is closed", () => raw.socket.closed);
    assert.match(raw.received, /^HTTP\/1\.1 408 /);
    await until("the app sees it", () => (seen as Error | undefined)?.name === "BodyError");
    assert.deepEqual(
      told.map((error) => error instanceof BodyError && error.status),
      [408],
      "the log line",
    );
  });

  test("an app that takes its time over content is left alone", async (context) => {
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
    raw.socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n${"x".repeat(length)}`);
    await until("it has waited for long", () => (server.inFlight()[0]?.age ?? 0) > 1200);
    read?.();
    await until("it is answered", () => raw.received.endsWith("whole"));
  });

  test("an answer that does not begin in time is 503: the app hears of it, and so does the log", async (context) => {
    const timeouts = { ...DEFAULT_TIMEOUTS, request: 50 };
    const told: string[] = [];
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
        onError: (error, { method, target }) => told.push(`${method} ${target}: ${error.message}`),
      },
    );
    const raw = await client();
    raw.socket.write("POST /slow?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    assert.match(await raw.rest(), /^HTTP\/1\.1 503 [\s\S]*\r\nConnection: close\r\n/);
    await until("the app hears of it", () => closed);
    late?.();
    await until("it is forgotten", () => server.inFlight().length === 0 && server.connections === 0);
    assert.deepEqual(told, ["POST /slow?x=1: no response within 0.05 s"]);
  });

  test("a stream that has begun is not cut, nor an app that gave itself more time", async (context) => {
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
      await until("it has taken long", () => (server.inFlight()[0]?.age ?? 0) > 200);
      answer?.();
      await until("it is answered", () => /late/.test(raw.received));
      assert.match(raw.received, /^HTTP\/1\.1 200 /);
    }
  });

  test("a request that waits for the one ahead of it has its time when its turn comes", async (context) => {
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
    await until("both wait", () => server.inFlight().filter(({ age }) => age > 200).length === 2);
    for (const answer of answers) answer();
    await until("both are answered", () => /answer \/1[\s\S]*answer \/3/.test(raw.received));
  });

  test("content that is still arriving leaves the app its whole time", async (context) => {
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
      await until("it is time", () => performance.now() > end - (19 - sent) * 50);
    }
    await until("it is answered", () => raw.received.endsWith("whole"));
  });

  test("keep-alive 0 keeps no connection", async (context) => {
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
  test("finishes what is in flight and closes behind it", async (context) => {
    let answer: (() => void) | undefined;
    const { server, client } = await startNodeEngine(context, (_request, response) => {
      answer = () => response.end("late");
    });
    const raw = await client();
    raw.socket.write(GET);
    await until("the request is there", () => answer !== undefined);
    const drained = server.drain(10);
    answer?.();
    await drained;
    assert.match(await raw.rest(), /connection: close\r\n.*late$/is);
  });

  test("an idle connection is still answered while it lingers, and then closed", async (context) => {
    const { server, client } = await startNodeEngine(context, hello);
    const used = await client();
    const fresh = await client();
    used.socket.write(GET);
    await until("the first answer is there", () => used.received.endsWith("hello"));
    const drained = server.drain(300);
    used.socket.write(GET);
    await until("it is closed behind the second answer", () => used.socket.closed);
    assert.match(used.received, /hello.*connection: close\r\n.*hello$/is);
    assert.equal(fresh.socket.closed, false);
    await drained;
    await until("the one that never sent anything is closed", () => fresh.socket.closed);
  });

  test("what asks in time is answered by a process that is late itself", async (context) => {
    const { server, client } = await startNodeEngine(context, hello);
    const used = await client();
    used.socket.write(GET);
    await until("the first answer is there", () => used.received.endsWith("hello"));
    // Behind the input of a turn: the next begins with the timers.
    await nextTurn();
    const drained = server.drain(50);
    used.socket.write(GET);
    // The loop does not turn before the linger is over.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    await drained;
    await until("it is closed", () => used.socket.closed);
    assert.match(used.received, /hello.*connection: close\r\n.*hello$/is);
  });

  test("a connection whose answer was begun before the draining lingers too", async (context) => {
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
    await until("the answer has begun", () => raw.received.endsWith("fi"));
    const drained = server.drain(0);
    await until("the linger is over", () => server.connections === 1);
    answer?.();
    await drained;
    await until("it is closed behind its answer", () => raw.socket.closed);
    assert.match(raw.received, /first$/);
  });

  test("a request that is just arriving is not cut off", async (context) => {
    const { server, client } = await startNodeEngine(context, hello);
    const idle = await client();
    const raw = await client();
    raw.socket.write("GET / HTTP/1.1\r\n");
    await until("the server has both", () => server.connections === 2);
    const drained = server.drain(200);
    await until("the idle one is closed", () => idle.ended);
    raw.socket.write("Host: a\r\n\r\n");
    await drained;
    assert.match(await raw.rest(), /connection: close\r\n.*hello$/is);
  });

  test("destroy cuts everything", async (context) => {
    const { server, client } = await startNodeEngine(context, () => {});
    const raw = await client();
    raw.socket.write(GET);
    await until("the request is there", () => server.inFlight().length === 1);
    server.destroy();
    await until("the connection is closed", () => raw.socket.closed);
    await until("it is forgotten", () => server.connections === 0);
  });
});

describe("upgrade", () => {
  const UPGRADE = "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n";
  const REFUSED: { readonly [what: string]: readonly [bytes: string, status: number] } = {
    "content of known length": [`${UPGRADE}Content-Length: 5\r\n\r\nhello`, 501],
    "content in chunks": [`${UPGRADE}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`, 501],
    "content that has yet to come": [`${UPGRADE}Content-Length: 5\r\n\r\n`, 501],
    "no Host": [`${UPGRADE.replace("Host: a\r\n", "")}\r\n`, 400],
    "a field that is too long": [`${UPGRADE}X: ${"x".repeat(DEFAULT_LIMITS.fieldSize)}\r\n\r\n`, 431],
  };
  for (const [what, [bytes, status]] of Object.entries(REFUSED)) {
    test(`with ${what} is refused before the app sees it`, async (t) => {
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

  test("with content is a request like any other where the app takes no upgrades", async (t) => {
    const { client } = await startNodeEngine(t, async (request, response) => {
      const pieces: Buffer[] = [];
      for await (const piece of request) pieces.push(piece as Buffer);
      response.setHeader("connection", "close").end(`read ${Buffer.concat(pieces)}`);
    });
    const raw = await client();
    raw.send(`${UPGRADE}Content-Length: 5\r\n\r\nhello`);
    assert.match(await raw.rest(), /^HTTP\/1\.1 200 .*read hello$/s);
  });

  test("goes to the app's own listener, and the connection outlives the linger", async (context) => {
    const { server, client } = await startNodeEngine(context, hello, {
      upgrade: (_request, socket) => {
        socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
        socket.pipe(socket);
      },
    });
    const raw = await client();
    raw.socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    await until("it is upgraded", () => raw.received.startsWith("HTTP/1.1 101 "));
    const drained = server.drain(0);
    raw.socket.write("ping");
    await until("it echoes", () => raw.received.endsWith("ping"));
    raw.socket.end();
    await drained;
  });

  test("without one the request is answered as any other", async (context) => {
    const { client } = await startNodeEngine(context, hello);
    const raw = await client();
    raw.socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    await until("it is answered", () => raw.received.endsWith("hello"));
    assert.match(raw.received, /^HTTP\/1\.1 200 /);
  });

  test("a client that breaks off does not end the worker of an app that does not listen", async (context) => {
    const { server, client } = await startNodeEngine(context, hello, {
      upgrade: (_request, socket) => {
        socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
        socket.resume();
      },
    });
    const raw = await client();
    raw.socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    await until("it is upgraded", () => raw.received.startsWith("HTTP/1.1 101 "));
    raw.socket.resetAndDestroy();
    await until("the connection is gone", () => server.connections === 0);
  });
});

describe("an app that throws or rejects", () => {
  for (const way of ["throws", "rejects"] as const) {
    test(`answers 500 when it ${way} before the head, is broken off behind it, and is reported`, async (context) => {
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
      await until("the answer is there", () => ended.received.endsWith("hello"));
      assert.deepEqual(errors, ["GET at /", "GET at /begun", "GET at /ended"]);
    });
  }
});

test("a request that waited behind another when its client went is not in flight for ever", async (context) => {
  const { server, client } = await startNodeEngine(context, () => {});
  const raw = await client();
  raw.socket.write(GET + GET + GET);
  await until("all are there", () => server.inFlight().length === 3);
  raw.socket.destroy();
  await until("none is in flight", () => server.inFlight().length === 0);
});
