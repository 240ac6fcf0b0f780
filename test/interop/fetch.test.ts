/** fetch in both directions: Hono and plain functions as gateway handlers, gateway apps as fetch functions. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Hono } from "hono";
import { stream, streamSSE } from "hono/streaming";
import { HttpError } from "../../src/errors.ts";
import { lint } from "../../src/gateway/lint.ts";
import type { Handler } from "../../src/gateway/types.ts";
import { type FetchEnvironment, fromFetch, toFetch } from "../../src/interop/fetch.ts";
import { inject } from "../../src/interop/testing.ts";
import { startEngine } from "../support/engine.ts";

async function until(fits: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!fits()) {
    assert.ok(Date.now() < deadline, what);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("a fetch app gets the whole request, and the client its whole response", async () => {
  let seen: unknown;
  const handler = fromFetch(async (request, { gateway }) => {
    const { url, method, headers } = request;
    seen = { url, method, header: headers.get("x-a"), body: await request.text(), id: gateway.id.length > 0 };
    const cookies: [string, string][] = [
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
    ];
    return new Response("made", { status: 201, headers: cookies });
  });
  const headers = { host: "example.com:8000", "x-a": "1" };
  const answer = await inject(handler, { method: "POST", path: "/a%20b?c=d", headers, body: "content" });
  const url = "http://example.com:8000/a%20b?c=d";
  assert.deepEqual(seen, { url, method: "POST", header: "1", body: "content", id: true });
  assert.equal(answer.status, 201);
  assert.equal(answer.text(), "made");
  assert.equal(answer.headers["content-length"], "4");
  assert.deepEqual(answer.values("set-cookie"), ["a=1", "b=2"]);
});

test("Hono runs unmodified on the engine: routes, JSON, redirects, HEAD, errors, streams", async (t) => {
  const app = new Hono();
  app.get("/json", (context) => context.json({ ok: true }));
  app.get("/away", (context) => context.redirect("/json"));
  app.get("/throws", () => {
    throw new Error("from the app");
  });
  app.post("/form", async (context) => context.text(String((await context.req.parseBody()).name)));
  app.get("/stream", () => {
    const pieces = ["one ", "two ", "three"];
    const stream = new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setImmediate(resolve));
        const piece = pieces.shift();
        if (piece === undefined) controller.close();
        else controller.enqueue(new TextEncoder().encode(piece));
      },
    });
    return new Response(stream);
  });
  app.onError((_error, context) => context.text("failed", 500));
  const engine = await startEngine(
    t,
    fromFetch((request, environment) => app.fetch(request, environment)),
  );
  const get = (path: string, init?: RequestInit): Promise<Response> =>
    fetch(`http://127.0.0.1:${engine.port}${path}`, { redirect: "manual", ...init });
  assert.deepEqual(await (await get("/json")).json(), { ok: true });
  assert.equal((await get("/away")).headers.get("location"), "/json");
  assert.equal((await get("/throws")).status, 500);
  assert.equal((await get("/nothing")).status, 404);
  assert.equal(await (await get("/stream")).text(), "one two three");
  const head = await get("/json", { method: "HEAD" });
  assert.deepEqual([head.status, await head.text()], [200, ""]);
  const form = new FormData();
  form.set("name", "J\u00fcrgen");
  assert.equal(await (await get("/form", { method: "POST", body: form })).text(), "J\u00fcrgen");
});

test("100 Continue is sent when a fetch app reads the body, not before", async (t) => {
  const reads = fromFetch(
    async (request) => new Response(request.url.endsWith("/read") ? await request.text() : "unread"),
  );
  const engine = await startEngine(t, reads);
  const head = "Host: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  const client = await engine.connect();
  client.send(`POST /unread HTTP/1.1\r\n${head}`);
  assert.doesNotMatch(await client.rest(), /100 Continue/);
  const reading = await engine.connect();
  reading.send(`POST /read HTTP/1.1\r\n${head}`);
  await reading.until((text) => text.includes("100 Continue"));
  reading.send("ok");
  await reading.until((text) => text.endsWith("\r\n\r\nok"));
});

test("the signal aborts when the client disconnects, before the response and while it streams", async (t) => {
  let computing: AbortSignal | undefined;
  let cancelled = false;
  const app = fromFetch((request) => {
    if (request.url.endsWith("/compute")) {
      computing = request.signal;
      return new Promise<Response>(() => {});
    }
    const stream = new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setImmediate(resolve));
        controller.enqueue(new Uint8Array(1000));
      },
      cancel() {
        cancelled = true;
      },
    });
    return new Response(stream);
  });
  const engine = await startEngine(t, app);
  for (const path of ["/compute", "/stream"]) {
    const client = await engine.connect();
    client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    if (path === "/stream") await client.until((text) => text.length > 2000);
    else await until(() => computing !== undefined, "the app was not called");
    client.socket.destroy();
  }
  await until(() => computing?.aborted === true, "the signal did not abort");
  await until(() => cancelled, "the stream was not cancelled");
});

test("a value that is not a Response causes a 500, CONNECT and TRACE a 501", async () => {
  const errors: Error[] = [];
  const nothing = fromFetch(() => undefined as unknown as Response);
  assert.equal((await inject(nothing, { onError: (error) => errors.push(error) })).status, 500);
  assert.match(errors[0]?.message ?? "", /not a Response/);
  assert.equal(
    (
      await inject(
        fromFetch(() => new Response("x")),
        { method: "TRACE" },
      )
    ).status,
    501,
  );
  const said = fromFetch(() => new Response("x"));
  for (const method of ["trace", "Connect", "track"])
    assert.equal((await inject(said, { method })).status, 501);
});

test("a gateway app as a fetch function: content in both directions, streams, lifecycle", async () => {
  const events: string[] = [];
  const fetch = toFetch({
    startup: () => {
      events.push("startup");
      return { greeting: "hello" };
    },
    handle: async (request, respond) => {
      const type = { "x-type": request.headers["content-type"] };
      if (request.path === "/echo") respond(200, type, await request.body.bytes());
      else if (request.path === "/state")
        respond(200, null, (request.state as { greeting: string }).greeting);
      else if (request.path === "/none") respond(204, null, null);
      else {
        const writer = respond(200, { "content-type": "text/plain" });
        for (let count = 0; count < 300; count += 1) await writer.write("x".repeat(1000));
        await writer.end();
      }
    },
    shutdown: () => {
      events.push("shutdown");
    },
  });
  const headers = { "content-type": "text/x" };
  const echo = await fetch(new Request("http://a/echo", { method: "POST", body: "content", headers }));
  assert.deepEqual([await echo.text(), echo.headers.get("x-type")], ["content", "text/x"]);
  assert.equal(await (await fetch(new Request("http://a/state"))).text(), "hello");
  assert.equal((await fetch(new Request("http://a/none"))).status, 204);
  assert.equal((await (await fetch(new Request("http://a/stream"))).text()).length, 300_000);
  await fetch.close();
  assert.deepEqual(events, ["startup", "shutdown"]);
});

test("a fetch caller that aborts ends the writer", async () => {
  let outcome = "";
  const fetch = toFetch(async (_request, respond) => {
    const writer = respond(200);
    try {
      for (;;) await writer.write("x".repeat(10_000));
    } catch (error) {
      outcome = (error as Error).name;
    }
  });
  const response = await fetch(new Request("http://a/"));
  await response.body?.cancel();
  await fetch.close();
  await until(() => outcome === "ClientGone", "the writer did not learn of it");
});

describe("fromFetch", () => {
  test("passes the request and sends the response", async () => {
    const answer = await inject(
      lint(
        fromFetch(async (request) => {
          const { method, url } = request;
          const body = await request.text();
          const headers = [...request.headers];
          return new Response(JSON.stringify({ method, url, body, headers }), {
            status: 201,
            headers: [
              ["set-cookie", "a=1"],
              ["set-cookie", "b=2"],
              ["x-a", "b"],
            ],
          });
        }),
      ),
      {
        method: "POST",
        path: "/a%20b?c=d",
        headers: [
          ["X-List", "1"],
          ["x-list", "2"],
        ],
        body: "content",
      },
    );
    assert.deepEqual(answer.errors, []);
    assert.equal(answer.status, 201);
    assert.deepEqual(answer.values("set-cookie"), ["a=1", "b=2"]);
    const seen = answer.json<{ headers: string[][] }>();
    assert.deepEqual(
      { ...seen, headers: Object.fromEntries(seen.headers)["x-list"] },
      {
        method: "POST",
        url: "http://localhost/a%20b?c=d",
        body: "content",
        headers: "1, 2",
      },
    );
  });

  test("the environment has the gateway request", async () => {
    const answer = await inject({
      startup: () => "state",
      handle: fromFetch((_request, { gateway }: FetchEnvironment) =>
        Response.json([gateway.remote.address, gateway.state, gateway.target]),
      ),
    });
    assert.deepEqual(answer.json(), ["127.0.0.1", "state", "/"]);
  });

  test("content that is available at once is sent whole, with its length", async () => {
    for (const body of ["text", new Uint8Array(4), null, ""]) {
      const answer = await inject(fromFetch(() => new Response(body)));
      assert.equal(answer.headers["content-length"], String(body?.length ?? 0));
      assert.equal(answer.headers["transfer-encoding"], undefined);
    }
  });

  test("content that comes later is streamed, and its head is sent at once", async () => {
    let proceed: (() => void) | undefined;
    const handler = fromFetch(
      () =>
        new Response(
          new ReadableStream({
            async pull(controller) {
              await new Promise<void>((resolve) => {
                proceed = resolve;
              });
              controller.enqueue(new TextEncoder().encode("late"));
              controller.close();
            },
          }),
        ),
    );
    let headSent = false;
    const watched: Handler = async (request, respond) => {
      const running = handler(request, respond);
      while (proceed === undefined || !respond.sent) await new Promise((resolve) => setImmediate(resolve));
      headSent = true;
      proceed();
      await running;
    };
    const answer = await inject(watched);
    assert.ok(headSent);
    assert.deepEqual([answer.text(), answer.headers["transfer-encoding"]], ["late", "chunked"]);
  });

  test("the body streams into the app", async () => {
    async function* pieces(): AsyncGenerator<string> {
      for (let index = 0; index < 5; index += 1) yield `piece ${index} `;
    }
    const answer = await inject(
      fromFetch((request) => new Response(request.body)),
      { method: "POST", body: pieces() },
    );
    assert.equal(answer.text(), "piece 0 piece 1 piece 2 piece 3 piece 4 ");
  });

  test("HEAD, redirects, 204, 304", async () => {
    const answerOf = (response: () => Response, method = "GET") => inject(fromFetch(response), { method });
    const head = await answerOf(() => new Response("content"), "HEAD");
    assert.deepEqual([head.body.length, head.headers["content-length"]], [0, undefined]);
    const redirect = await answerOf(() => Response.redirect("http://a.example/b", 302));
    assert.deepEqual([redirect.status, redirect.headers.location], [302, "http://a.example/b"]);
    for (const status of [204, 304]) {
      assert.equal((await answerOf(() => new Response(null, { status }))).status, status);
    }
  });

  test("errors cause a 500, and a stream that fails aborts the response", async () => {
    const failures = [
      () => {
        throw new Error("failed");
      },
      () => Promise.reject(new Error("failed")),
      () => "text" as unknown as Response,
      () => undefined as unknown as Response,
      () => Response.error(),
    ];
    for (const fetch of failures) {
      const answer = await inject(fromFetch(fetch));
      assert.deepEqual([answer.status, answer.errors.length], [500, 1]);
    }
    const refused = await inject(
      fromFetch(() => {
        throw new HttpError(403, "no");
      }),
    );
    assert.equal(refused.status, 403);
    let count = 0;
    const broken = new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
        count += 1;
        if (count > 2) controller.error(new Error("failed half way"));
        else controller.enqueue(new TextEncoder().encode("half"));
      },
    });
    await assert.rejects(inject(fromFetch(() => new Response(broken))), /failed half way/);
  });

  test("the signal aborts and the stream is cancelled when the client disconnects", async () => {
    const client = new AbortController();
    const seen: string[] = [];
    const cancelled = new Promise<void>((resolve) => {
      const handler = fromFetch((request) => {
        request.signal.addEventListener("abort", () => seen.push((request.signal.reason as Error).name));
        setImmediate(() => setImmediate(() => setImmediate(() => client.abort())));
        return new Response(new ReadableStream({ pull() {}, cancel: () => resolve() }));
      });
      inject(handler, { signal: client.signal }).catch(() => {});
    });
    await cancelled;
    assert.deepEqual(seen, ["ClientGone"]);
  });

  test("requests that fetch cannot represent are refused", async () => {
    const fetch = fromFetch(() => new Response("never"));
    assert.equal((await inject(fetch, { method: "TRACE" })).status, 501);
    assert.equal((await inject(fetch, { method: "CONNECT", path: "a:1" })).status, 501);
    assert.equal((await inject(fetch, { headers: { host: "a b" } })).status, 400);
    assert.equal((await inject(fetch, { method: "OPTIONS", path: "*" })).status, 200);
  });

  test("the request is a Request that can be passed on", async () => {
    const answer = await inject(
      fromFetch(async (request) => {
        assert.ok(request instanceof Request);
        const copy = request.clone();
        const again = new Request(request, { headers: { "x-a": "b" } });
        return new Response(`${await copy.text()} ${await again.text()} ${again.headers.get("x-a")}`);
      }),
      { method: "POST", body: "content" },
    );
    assert.equal(answer.text(), "content content b");
  });

  test("Hono", async () => {
    const app = new Hono<{ Bindings: FetchEnvironment }>();
    app.get("/text", (context) => context.text(`hello ${context.env.gateway.remote.address}`));
    app.post("/json", async (context) => context.json(await context.req.json(), 201));
    app.get("/stream", (context) =>
      stream(context, async (writer) => {
        for (const piece of ["a", "b", "c"]) await writer.write(piece);
      }),
    );
    app.get("/events", (context) =>
      streamSSE(context, async (events) => {
        await events.writeSSE({ data: "one" });
      }),
    );
    app.get("/error", () => {
      throw new Error("failed");
    });
    const handler = lint(fromFetch(app.fetch));
    assert.equal((await inject(handler, { path: "/text" })).text(), "hello 127.0.0.1");
    const json = await inject(handler, {
      method: "POST",
      path: "/json",
      headers: { "content-type": "application/json" },
      body: '{"n":1}',
    });
    assert.deepEqual([json.status, json.json()], [201, { n: 1 }]);
    assert.equal((await inject(handler, { path: "/stream" })).text(), "abc");
    assert.equal((await inject(handler, { path: "/events" })).text(), "data: one\n\n");
    assert.equal((await inject(handler, { path: "/error" })).status, 500);
    assert.equal((await inject(handler, { path: "/none" })).status, 404);
    const head = await inject(handler, { method: "HEAD", path: "/text" });
    assert.deepEqual([head.status, head.body.length], [200, 0]);
  });
});

describe("toFetch", () => {
  test("runs an app and its lifecycle", async () => {
    const calls: string[] = [];
    const fetch = toFetch(
      lint({
        startup: async () => {
          calls.push("startup");
          return "state";
        },
        handle: async (request, respond) => {
          const { target, host, scheme, state, remote } = request;
          const body = await request.body.text();
          respond(
            200,
            { "set-cookie": ["a=1", "b=2"] },
            JSON.stringify([target, host, scheme, state, body, remote.address]),
          );
        },
        shutdown: (state) => void calls.push(`shutdown ${state}`),
      }),
      { remote: () => ({ family: "ipv4", address: "192.0.2.1", port: 1 }) },
    );
    const response = await fetch(new Request("https://a.example/b?c", { method: "POST", body: "content" }));
    assert.deepEqual(response.headers.getSetCookie(), ["a=1", "b=2"]);
    assert.deepEqual(await response.json(), ["/b?c", "a.example", "https", "state", "content", "192.0.2.1"]);
    await fetch.close();
    assert.deepEqual(calls, ["startup", "shutdown state"]);
  });

  test("streams at the reader's pace, and is told when the reader stops", async () => {
    let written = 0;
    const stopped = new Promise<string>((resolve) => {
      const fetch = toFetch(async (request, respond) => {
        const writer = respond(200);
        try {
          for (;;) {
            await writer.write(Buffer.alloc(10_000));
            written += 10_000;
          }
        } catch (error) {
          resolve(`${(error as Error).name} ${request.signal.aborted}`);
        }
      });
      void fetch(new Request("http://a.example/")).then(async (response) => {
        const reader = (response.body as ReadableStream<Uint8Array>).getReader();
        await reader.read();
        for (let turn = 0; turn < 50; turn += 1) await new Promise((next) => setImmediate(next));
        assert.ok(written < 200_000, `${written} bytes written after the client disconnected`);
        await reader.cancel();
      });
    });
    assert.equal(await stopped, "ClientGone true");
  });

  test("copies bytes, which the app may change afterwards", async () => {
    const fetch = toFetch(async (_request, respond) => {
      const writer = respond(200);
      const buffer = Buffer.from("first ");
      await writer.write(buffer);
      buffer.fill("x");
      await writer.end("last");
    });
    assert.equal(await (await fetch(new Request("http://a.example/"))).text(), "first last");
  });

  test("errors cause a 500 before the head, and fail the stream after it", async () => {
    const errors: string[] = [];
    const onError = (error: Error): void => void errors.push(error.message);
    const early = toFetch(() => Promise.reject(new Error("early")), { onError });
    assert.equal((await early(new Request("http://a.example/"))).status, 500);
    const late = toFetch(
      async (_request, respond) => {
        await respond(200).write("half");
        throw new Error("late");
      },
      { onError },
    );
    const response = await late(new Request("http://a.example/"));
    await assert.rejects(response.text());
    assert.deepEqual(errors, ["early", "late"]);
  });

  test("HEAD, statuses without content, upgrades", async () => {
    const fetch = toFetch((request, respond) => {
      if (request.path === "/head") respond(200, null, "content");
      else if (request.path === "/empty") respond(205, null, null);
      else if (request.path === "/none") respond(204, null, "content");
      else respond(200, null, String(request.upgrade));
    });
    const of = (path: string, init: RequestInit = {}) => fetch(new Request(`http://a.example${path}`, init));
    const head = await of("/head", { method: "HEAD" });
    assert.deepEqual([head.headers.get("content-length"), await head.text()], ["7", ""]);
    assert.equal((await of("/empty")).status, 205);
    assert.equal((await of("/none")).status, 204);
    assert.equal(await (await of("/")).text(), "false");
  });

  test("an aborted request rejects, and the app's signal aborts", async () => {
    const client = new AbortController();
    const heard = new Promise<string>((resolve) => {
      const fetch = toFetch((request) => {
        request.signal.addEventListener("abort", () => resolve((request.signal.reason as Error).name));
        client.abort();
      });
      const running = fetch(new Request("http://a.example/", { signal: client.signal }));
      assert.rejects(running, { name: "ClientGone" });
    });
    assert.equal(await heard, "ClientGone");
  });

  test("fromFetch and toFetch are inverse", async () => {
    const there = toFetch(async (request, respond) =>
      respond(200, null, (await request.body.text()).toUpperCase()),
    );
    const answer = await inject(lint(fromFetch((request) => there(request))), {
      method: "POST",
      body: "content",
    });
    assert.equal(answer.text(), "CONTENT");
  });
});
