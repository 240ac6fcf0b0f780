/**
 * A careless app affects only its own exchange: it cannot respond twice, make half a response look complete, or crash
 * the worker. An uncaught exception fails the test in which it is thrown.
 */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { createReadStream } from "node:fs";
import { describe, test } from "node:test";
import { setTimeout as pause, setImmediate as turn } from "node:timers/promises";
import { HttpError } from "../../../src/errors.ts";
import type { Handler, ResponseWriter } from "../../../src/gateway/types.ts";
import { type Engine, startEngine, statuses } from "../../support/engine.ts";

const get = (path: string, method = "GET"): string => `${method} ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

/** Requests `path` and then `/next` on the same connection. Returns everything up to the second response. */
async function askTwice(engine: Engine, path: string, method = "GET"): Promise<string> {
  const client = await engine.connect();
  client.send(get(path, method));
  await client.until((text) => text.includes("\r\n\r\n"), "the first answer");
  await pause(30);
  client.send(get("/next"));
  await client.until((text) => text.endsWith("the next answer"), "the second answer");
  client.socket.destroy();
  return client.received;
}

/** Responds to `/next` with a known text; passes other requests to `handler`. */
const beside =
  (handler: Handler): Handler =>
  (request, respond) =>
    request.path === "/next" ? respond(200, null, "the next answer") : handler(request, respond);

describe("one response", () => {
  test("an exception while a file is being opened becomes the response; the file is not sent after it", async (t) => {
    const engine = await startEngine(
      t,
      beside((_request, respond) => {
        respond(200, { "x-file": "yes" }, { file: import.meta.filename });
        throw new Error("second thoughts");
      }),
    );
    const received = await askTwice(engine, "/");
    assert.deepEqual(statuses(received), [500, 200]);
    assert.doesNotMatch(received, /x-file/);
  });

  test("a writer ended with less than its content-length fails, even if it is not awaited", async (t) => {
    const engine = await startEngine(
      t,
      beside((_request, respond) => {
        void respond(200, { "content-length": "5" }).end("abc");
      }),
    );
    assert.deepEqual(statuses(await askTwice(engine, "/")), [500, 200]);
    assert.equal(engine.errors.length, 1);
  });

  test("a writer with invalid trailers is not left open, even if it is not awaited", async (t) => {
    const engine = await startEngine(
      t,
      beside((request, respond) => {
        const writer = respond(200);
        if (request.path === "/begun") void writer.write("content");
        void writer.end(null, { host: "a" });
      }),
    );
    assert.deepEqual(statuses(await askTwice(engine, "/")), [500, 200]);
    const client = await engine.connect();
    client.send(get("/begun"));
    assert.match(await client.rest(), /content\r\n$/);
    assert.equal(engine.errors.length, 2);
  });

  for (const [what, piece] of [
    ["a number", 5],
    ["an array buffer", new ArrayBuffer(4)],
    ["words of two bytes", new Uint16Array([1, 2])],
    ["nothing", undefined],
  ] as const) {
    test(`a piece that is ${what} breaks off the response`, async (t) => {
      const engine = await startEngine(t, (_request, respond) => {
        const writer = respond(200);
        void writer.write("first");
        void writer.write(piece as never);
        void writer.end("last");
      });
      const client = await engine.connect();
      client.send(get("/"));
      const received = await client.rest();
      assert.doesNotMatch(received, /\r\n0\r\n/, "a truncated answer looked complete");
      assert.equal(engine.errors.length, 1);
    });
  }

  test("an invalid last piece is a 500", async (t) => {
    const engine = await startEngine(
      t,
      beside((_request, respond) => {
        void respond(200).end({ an: "object" } as never);
      }),
    );
    assert.deepEqual(statuses(await askTwice(engine, "/")), [500, 200]);
  });

  test("an error with a status that is not an error's does not shift later responses", async (t) => {
    const engine = await startEngine(
      t,
      beside((request) => {
        throw new HttpError(Number(request.path.slice(1)), "thrown to end the handler");
      }),
    );
    for (const [status, expected] of [
      [304, 500],
      [204, 500],
      [404, 404],
      [0, 500],
      [1000, 500],
      [101, 500],
    ]) {
      const received = await askTwice(engine, `/${status}`);
      assert.deepEqual(statuses(received), [expected, 200], String(status));
    }
  });

  test("an invalid part of a file is a 500", async (t) => {
    const engine = await startEngine(
      t,
      beside((_request, respond) => {
        respond(206, null, { file: import.meta.filename, offset: Number.NaN, length: 3 });
      }),
    );
    assert.deepEqual(statuses(await askTwice(engine, "/")), [500, 200]);
  });
});

describe("the worker survives", () => {
  test("any thrown value", async (t) => {
    const thrown = [undefined, null, 0, Symbol("s"), Object.create(null), { toString: null }, () => {}];
    const engine = await startEngine(
      t,
      beside((request) => {
        const [, way, index] = request.path.split("/");
        const value: unknown = thrown[Number(index)];
        if (way === "throw") throw value;
        if (way === "reject") return Promise.reject(value);
        // biome-ignore lint/suspicious/noThenProperty: the test needs a thenable
        return { then: (_yes: unknown, no: (reason: unknown) => void) => no(value) } as Promise<void>;
      }),
    );
    for (const way of ["throw", "reject", "then"]) {
      for (const index of thrown.keys()) {
        assert.deepEqual(statuses(await askTwice(engine, `/${way}/${index}`)), [500, 200], `${way} ${index}`);
      }
    }
    assert.equal(engine.errors.length, 3 * thrown.length);
  });

  test("a file stream that cannot be opened, for HEAD as for GET", async (t) => {
    const engine = await startEngine(
      t,
      beside((_request, respond) => respond(200, null, createReadStream("/no/such/file"))),
    );
    await askTwice(engine, "/", "HEAD");
    assert.deepEqual(statuses(await engine.exchange(get("/"))).slice(1), []);
  });

  test("an iterator whose clean-up throws", async (t) => {
    const content = (): Iterable<string> => ({
      [Symbol.iterator]: () => ({
        next: () => ({ done: false, value: "x".repeat(10_000) }),
        return: () => {
          throw new Error("the clean-up failed");
        },
      }),
    });
    const engine = await startEngine(
      t,
      beside((_request, respond) => respond(200, null, content())),
    );
    const client = await engine.connect();
    client.send(get("/"));
    await client.until((text) => text.length > 1000);
    client.socket.resetAndDestroy();
    await askTwice(engine, "/", "HEAD");
  });

  test("a body stream without an error listener when the client aborts its upload", async (t) => {
    let closed = false;
    const engine = await startEngine(t, (request) => {
      request.body
        .stream()
        .on("data", () => {})
        .on("close", () => {
          closed = true;
        });
    });
    const client = await engine.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc");
    await pause(30);
    client.socket.resetAndDestroy();
    const deadline = Date.now() + 5000;
    while (!closed) {
      assert.ok(Date.now() < deadline, "the stream was not closed");
      await turn();
    }
  });

  test("a stream of a compatible package that fails after its last listener is gone", async (t) => {
    /** A stream like those of `readable-stream`: not an instance of Node's class. */
    class Stream extends EventEmitter {
      destroyed = false;
      destroy(): void {
        this.destroyed = true;
        setImmediate(() => this.emit("error", new Error("closed early")));
      }
      async *[Symbol.asyncIterator](): AsyncGenerator<string> {
        yield "content";
      }
    }
    const stream = new Stream();
    const engine = await startEngine(t, (_request, respond) => respond(200, null, stream as never));
    assert.match(await engine.exchange(get("/", "HEAD")), /^HTTP\/1.1 200 OK\r\n/);
    assert.equal(stream.destroyed, true);
    await pause(30);
    assert.match(await engine.exchange(get("/")), /content\r\n0\r\n\r\n$/);
  });

  test("an invalid response to a lost request", async (t) => {
    const locked = new ReadableStream();
    locked.getReader();
    let outcome = "";
    const engine = await startEngine(t, (request, respond) => {
      request.signal.addEventListener("abort", () => {
        setImmediate(() => {
          try {
            respond(200, null, locked as never);
            outcome = "ignored";
          } catch (error) {
            outcome = String(error);
          }
        });
      });
    });
    const client = await engine.connect();
    client.send(get("/"));
    await pause(30);
    client.socket.resetAndDestroy();
    const deadline = Date.now() + 5000;
    while (outcome === "") {
      assert.ok(Date.now() < deadline, "the signal did not abort");
      await turn();
    }
    assert.equal(outcome, "ignored");
  });

  test("a writer used long after its response", async (t) => {
    let kept: ResponseWriter | undefined;
    const engine = await startEngine(
      t,
      beside((_request, respond) => {
        kept = respond(200);
        void kept.end("done");
      }),
    );
    await askTwice(engine, "/");
    await assert.rejects((kept as ResponseWriter).write("late"), { name: "GatewayError" });
    await (kept as ResponseWriter).flush();
    (kept as ResponseWriter).destroy();
  });
});
