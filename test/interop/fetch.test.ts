/** Fetch apps over the gateway, and gateway apps as fetch functions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Hono } from "hono";
import { fromFetch, toFetch } from "../../src/interop/fetch.ts";
import { inject } from "../../src/interop/testing.ts";
import { startEngine } from "../support/engine.ts";

async function until(fits: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!fits()) {
    assert.ok(Date.now() < deadline, what);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("a fetch app sees the request whole, and its answer arrives whole", async () => {
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

test("the content of a request is asked for when the app reads it, not before", async (t) => {
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

test("the app hears that the client has gone, while it computes and while it streams", async (t) => {
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

test("what is no Response is a 500, CONNECT and TRACE are 501", async () => {
  const errors: Error[] = [];
  const nothing = fromFetch(() => undefined as unknown as Response);
  assert.equal((await inject(nothing, { onError: (error) => errors.push(error) })).status, 500);
  assert.match(errors[0]?.message ?? "", /no Response/);
  assert.equal(
    (
      await inject(
        fromFetch(() => new Response("x")),
        { method: "TRACE" },
      )
    ).status,
    501,
  );
});

test("a gateway app as a fetch function: content both ways, streams, life", async () => {
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

test("a fetch caller that leaves ends the writer", async () => {
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
