/** Loads every example as its README says and sends it requests through the engine. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { workerInfo } from "../src/interop/worker-info.ts";
import type { LoadedGatewayApp } from "../src/loader/load.ts";
import { loadApp } from "../src/loader/load.ts";
import { type Engine, startEngine } from "./support/engine.ts";

const ROOT = join(import.meta.dirname, "..");

async function serve(context: TestContext, spec: string): Promise<Engine> {
  const loaded = await loadApp(spec, { cwd: ROOT });
  assert.equal(loaded.kind, "gateway");
  const { app } = loaded as LoadedGatewayApp;
  const worker = workerInfo({ slot: 3, generation: 1, drain: drains.signal });
  const state = await app.startup?.(worker);
  context.after(() => app.shutdown?.(state));
  return await startEngine(context, app, { worker, state });
}

const drains = new AbortController();

test("hello responds with its line", async (t) => {
  const engine = await serve(t, "examples/hello/app.ts:handler");
  const response = await fetch(`http://127.0.0.1:${engine.port}/`);
  assert.equal(await response.text(), "Hello, world\n");
});

test("echo responds with method, raw target, version, headers, body and trailers in order", async (t) => {
  const engine = await serve(t, "examples/echo/app.ts:handler");
  const request =
    "PUT /a%20b?c=%C3%A9&d HTTP/1.1\r\nHost: h\r\nX-B: 1\r\nx-a: 2\r\nX-B: \xe9\r\n" +
    "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" +
    "3\r\nab\0\r\n1;x=y\r\n\xff\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n";
  const response = await engine.exchange(Buffer.from(request, "latin1"));
  assert.match(response, /^HTTP\/1\.1 200 /);
  assert.deepEqual(JSON.parse(response.slice(response.indexOf("{"), response.lastIndexOf("}") + 1)), {
    method: "PUT",
    target: "/a%20b?c=%C3%A9&d",
    version: "1.1",
    headers: [
      ["Host", "h"],
      ["X-B", "1"],
      ["x-a", "2"],
      // The response is UTF-8, read byte by byte here.
      ["X-B", Buffer.from("\xe9").toString("latin1")],
      ["Transfer-Encoding", "chunked"],
      ["Connection", "close"],
    ],
    body: Buffer.from("ab\0\xff", "latin1").toString("base64"),
    trailers: [
      ["X-Sum", "1"],
      ["x-sum", "2"],
    ],
  });
});

test("gateway-app: state, early hints, file, stream, middleware", async (t) => {
  process.env.EARLY_HINTS = "1";
  t.after(() => delete process.env.EARLY_HINTS);
  t.mock.method(console, "log", () => {});
  const engine = await serve(t, "examples/gateway-app/app.ts");
  const url = `http://127.0.0.1:${engine.port}`;
  const raw = await engine.exchange("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  assert.match(
    raw,
    /^HTTP\/1\.1 103 .*\r\nlink: <\/style\.css>; rel=preload; as=style\r\n\r\nHTTP\/1\.1 200 /s,
  );
  assert.match(await (await fetch(url)).text(), /Visit 2 of worker 3, up since 20/);

  const style = await fetch(`${url}/style.css`);
  assert.equal(style.headers.get("content-type"), "text/css; charset=utf-8");
  assert.equal(await style.text(), readFileSync(join(ROOT, "examples/gateway-app/public/style.css"), "utf8"));

  const content = Buffer.alloc(3_000_000, "0123456789");
  const mirrored = await fetch(`${url}/mirror`, { method: "POST", body: content });
  const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
  assert.equal(digest(Buffer.from(await mirrored.arrayBuffer())), digest(content));

  assert.equal((await fetch(`${url}/nowhere`)).status, 404);
  const refused = await fetch(url, { method: "DELETE" });
  assert.deepEqual([refused.status, refused.headers.get("allow")], [405, "GET, HEAD"]);
  assert.deepEqual(engine.errors, []);
});

test("gateway-app: events continue until the worker drains", async (t) => {
  t.mock.method(console, "log", () => {});
  const engine = await serve(t, "examples/gateway-app/app.ts:app");
  const client = await engine.connect();
  client.send("GET /ticks HTTP/1.1\r\nHost: h\r\n\r\n");
  await client.until((received) => received.includes("data: 1\n\n"));
  assert.doesNotMatch(client.received, /\r\n0\r\n\r\n$/);
  drains.abort();
  await client.until((received) => received.endsWith("\r\n0\r\n\r\n"), "the end of the stream");
  client.socket.destroy();
});

test("plain-js: a module and a CommonJS factory", async (t) => {
  const module = await serve(t, "examples/plain-js/app.js:handler");
  assert.equal(
    await (await fetch(`http://127.0.0.1:${module.port}/x`)).text(),
    "Hello from an ES module, /x\n",
  );
  const commonjs = await serve(t, 'examples/plain-js/app.cjs:create("world")');
  assert.equal(
    await (await fetch(`http://127.0.0.1:${commonjs.port}/`)).text(),
    "Hello world, from CommonJS\n",
  );
});
