/** The guarantees of `inject` beyond the conformance suite. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ClientGone } from "../../src/errors.ts";
import type { App, Handler } from "../../src/gateway/types.ts";
import { inject } from "../../src/interop/testing.ts";

const echo: Handler = async (request, respond) => {
  const { method, target, rawHeaders, scheme, remote, rootPath } = request;
  const body = await request.body.text();
  respond(200, null, JSON.stringify({ method, target, rawHeaders, scheme, remote, rootPath, body }));
};

describe("the request", () => {
  test("has a client's defaults", async () => {
    assert.deepEqual((await inject(echo)).json(), {
      method: "GET",
      target: "/",
      rawHeaders: ["Host", "localhost"],
      scheme: "http",
      remote: { family: "ipv4", address: "127.0.0.1", port: 40000 },
      rootPath: "",
      body: "",
    });
  });

  test("is as given", async () => {
    const remote = { family: "ipv6", address: "::1", port: 9 } as const;
    const answer = await inject(echo, {
      method: "PUT",
      path: "/app/x?y",
      headers: { host: "a.example", accept: ["a", "b"] },
      body: new TextEncoder().encode("grüße"),
      scheme: "https",
      rootPath: "/app",
      remote,
    });
    assert.deepEqual(answer.json(), {
      method: "PUT",
      target: "/app/x?y",
      rawHeaders: ["host", "a.example", "accept", "a", "accept", "b", "Content-Length", "7"],
      scheme: "https",
      remote,
      rootPath: "/app",
      body: "grüße",
    });
  });

  test("streams its body at the reader's pace", async () => {
    let made = 0;
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (; made < 1000; made += 1) yield Buffer.alloc(10_000);
    }
    const answer = await inject(
      async (request, respond) => {
        let size = 0;
        for await (const piece of request.body) {
          size += piece.length;
          // A source must not run ahead of its reader by more than the server buffers.
          assert.ok(made * 10_000 - size < 200_000, `${made} pieces made, ${size} bytes read`);
        }
        respond(200, null, String(size));
      },
      { method: "POST", body: pieces() },
    );
    assert.equal(answer.text(), "10000000");
  });

  test("fails like an aborted upload if its source fails", async () => {
    async function* broken(): AsyncGenerator<string> {
      yield "half";
      throw new Error("the line is down");
    }
    const answer = await inject(
      async (request, respond) => {
        const error = await request.body.text().catch((reason: Error) => reason);
        respond(200, null, `${(error as Error).name} ${request.signal.aborted}`);
      },
      { method: "POST", body: broken() },
    );
    assert.equal(answer.text(), "BodyError true");
  });

  test("never looks complete if its content has another length than declared", async () => {
    for (const length of ["3", "9"]) {
      const answer = await inject(echo, {
        method: "POST",
        headers: { "content-length": length },
        body: "12345",
      });
      assert.equal(answer.status, 400);
    }
  });
});

describe("the response", () => {
  test("has text, JSON, bytes, joined and separate fields, and trailers", async () => {
    const answer = await inject(async (_request, respond) => {
      const writer = respond(201, { "set-cookie": ["a=1", "b=2"], "x-a": ["1", "2"] });
      await writer.write('{"a":');
      await writer.end("1}", { "x-sum": "7" });
    });
    assert.equal(answer.status, 201);
    assert.deepEqual(answer.values("Set-Cookie"), ["a=1", "b=2"]);
    assert.equal(answer.headers["x-a"], "1, 2");
    assert.equal(answer.headers["transfer-encoding"], "chunked");
    assert.deepEqual(answer.json(), { a: 1 });
    assert.equal(answer.text(), '{"a":1}');
    assert.equal(answer.body.length, 7);
    assert.equal(answer.trailers["x-sum"], "7");
  });

  test("copies bytes, which the app may change afterwards", async () => {
    const answer = await inject(async (_request, respond) => {
      const writer = respond(200);
      const buffer = Buffer.from("first ");
      await writer.write(buffer);
      buffer.fill("x");
      await writer.end("last");
    });
    assert.equal(answer.text(), "first last");
  });

  test("is a 500 with the error in errors if the app throws", async () => {
    const seen: string[] = [];
    const answer = await inject(
      () => {
        throw new Error("failed");
      },
      { onError: (error, request) => seen.push(`${error.message} ${request.target}`) },
    );
    assert.deepEqual([answer.status, answer.errors[0]?.message, seen[0]], [500, "failed", "failed /"]);
  });

  test("rejects with the app's error if it is aborted", async () => {
    await assert.rejects(
      inject(async (_request, respond) => {
        await respond(200).write("half");
        throw new Error("failed half way");
      }),
      /failed half way/,
    );
  });

  test("rejects if the signal aborts, and the app's signal aborts too", async () => {
    for (const early of [true, false]) {
      const client = new AbortController();
      if (early) client.abort();
      let heard = false;
      const running = inject(
        (request) => {
          request.signal.addEventListener("abort", () => {
            heard = true;
          });
          client.abort();
        },
        { signal: client.signal },
      );
      await assert.rejects(running, ClientGone);
      assert.equal(heard, !early);
    }
  });

  test("is a 503 if the app exceeds the timeout", async () => {
    const answer = await inject(() => {}, { requestTimeout: 10 });
    assert.equal(answer.status, 503);
  });
});

describe("the lifecycle of an app", () => {
  const living = (calls: string[]): App<string> => ({
    startup: () => {
      calls.push("startup");
      return "made";
    },
    handle: (request, respond) => respond(200, null, request.state),
    shutdown: (state) => void calls.push(`shutdown ${state}`),
  });

  test("starts before the request and shuts down after it", async () => {
    const calls: string[] = [];
    assert.equal((await inject(living(calls))).text(), "made");
    assert.deepEqual(calls, ["startup", "shutdown made"]);
  });

  test("is skipped if a state is given", async () => {
    const calls: string[] = [];
    assert.equal((await inject(living(calls), { state: "given" })).text(), "given");
    assert.deepEqual(calls, []);
  });

  test("ends after an upgraded connection", async () => {
    const calls: string[] = [];
    const app: App = {
      ...(living(calls) as App),
      upgrade: (_request, respond) => {
        const connection = respond.upgrade({ upgrade: "echo" });
        connection.pipe(connection);
      },
    };
    const { status, upgraded } = await inject(app, { headers: { connection: "upgrade", upgrade: "echo" } });
    assert.equal(status, 101);
    assert.deepEqual(calls, ["startup"]);
    upgraded?.end("hello");
    const echoed: Buffer[] = [];
    for await (const piece of upgraded as AsyncIterable<Buffer>) echoed.push(piece);
    assert.equal(Buffer.concat(echoed).toString(), "hello");
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    assert.deepEqual(calls, ["startup", "shutdown made"]);
  });

  test("rejects if startup or shutdown fails", async () => {
    const handle: Handler = (_request, respond) => respond(200, null, "x");
    const fails = (): never => {
      throw new Error("no database");
    };
    await assert.rejects(inject({ handle, startup: fails }), /no database/);
    await assert.rejects(inject({ handle, shutdown: fails }), /no database/);
  });
});
