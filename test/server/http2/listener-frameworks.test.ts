/** Unmodified frameworks over HTTP/2: what they answer, what a drain and clients that break off do to them, and Express. */
import assert from "node:assert/strict";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { describe, test } from "node:test";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { until } from "../../support/command.ts";
import { ask } from "../../support/http2-engine.ts";
import { FrameClient, field, frame, POST, request, reset } from "../../support/http2-frames.ts";
import { startHttp2Listener } from "../../support/http2-listener.ts";

/** A file of JavaScript, as its users write it. */
const APPS: string = "../../fixtures/apps/frameworks/busy.js";

async function listenerOf(name: string): Promise<RequestListener> {
  const apps = (await import(APPS)) as { [name: string]: () => RequestListener | Promise<RequestListener> };
  return (await apps[name]?.()) as RequestListener;
}

function hono(): RequestListener {
  const app = new Hono();
  app.get("/slow", async (context) => {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return context.text("late");
  });
  app.get(
    "/stream",
    () => new Response(ReadableStream.from(["one ", "two ", "three"].map((text) => Buffer.from(text)))),
  );
  app.all("/*", async (context) => context.text(`${(await context.req.arrayBuffer()).byteLength} bytes`));
  return getRequestListener(app.fetch) as unknown as RequestListener;
}

const type = { "content-type": "a/b" };

describe("unmodified", { concurrency: true }, () => {
  for (const name of ["koa", "fastify", "hono"])
    describe(name, { concurrency: true }, () => {
      test("answers, reads content with and without a length, and ends a drain with nothing lost", async (context) => {
        const served = await startHttp2Listener(context, name === "hono" ? hono() : await listenerOf(name));
        const session = await served.session();
        assert.equal((await ask(session)).text, "0 bytes");
        const post = { ":method": "POST", ...type };
        const content = Buffer.alloc(200_000, "a");
        assert.equal(
          (await ask(session, { ...post, "content-length": "200000" }, content)).text,
          "200000 bytes",
        );
        assert.equal((await ask(session, post, content)).text, "200000 bytes");
        assert.equal((await ask(session, { ":method": "HEAD", ":path": "/stream" })).status, 200);
        assert.equal((await ask(session, { ":path": "/stream" })).text, "one two three");
        const late = ask(session, { ":path": "/slow" });
        const stream = ask(session, { ":path": "/stream" });
        await until("both are in flight", () => served.server.inFlight().length >= 1);
        const drained = served.server.drain(300);
        const { status, text, code } = await late;
        assert.deepEqual([status, text, code], [200, "late", 0]);
        assert.equal((await stream).text, "one two three");
        await drained;
        assert.deepEqual([served.server.connections, served.errors], [0, []]);
      });

      test("survives clients that break off, and serves others", async (context) => {
        const served = await startHttp2Listener(context, name === "hono" ? hono() : await listenerOf(name));
        const get = (path: string): Buffer =>
          Buffer.concat([Buffer.from([0x82, 0x86, 0x41, 1, 0x61, 0]), field(":path", path).subarray(1)]);
        const upload = Buffer.concat([POST, field("content-type", "a/b"), field("content-length", "100")]);
        for (const way of ["reset", "close"]) {
          const client = new FrameClient(await served.connect());
          client.send(request(1, upload, 4), frame(0, 0, 1, Buffer.from("half")));
          client.send(request(3, get("/slow")), request(5, get("/stream")));
          await until("the upload is in flight", () =>
            served.server.inFlight().some(({ method }) => method === "POST"),
          );
          if (way === "reset") client.send(reset(1), reset(3), reset(5));
          else client.socket.destroy();
          await until("nothing is in flight", () => served.server.inFlight().length === 0);
        }
        // Whatever the apps had begun ends here.
        await new Promise((resolve) => setTimeout(resolve, 1100));
        assert.equal((await ask(await served.session())).text, "0 bytes");
      });
    });
});

test("a listener that wraps Express fails visibly, once, and never hangs", async (context) => {
  const app = await listenerOf("express");
  const listener = async (asked: IncomingMessage, response: ServerResponse): Promise<unknown> => {
    if (asked.url === "/stream") await Promise.resolve();
    return app(asked, response);
  };
  const served = await startHttp2Listener(context, listener);
  const session = await served.session();
  const post = { ":method": "POST", "content-type": "a/b" };
  // All of them before the first one shows it; Express goes on with each in its own time.
  const paths = ["/", "/stream", "/slow", "/", "/stream"];
  const all = await Promise.all(paths.map((path) => ask(session, { ...post, ":path": path }, "content")));
  assert.ok(
    all.every(({ status, code }) => (status === 500 && code === 0) || code === 13),
    JSON.stringify(all),
  );
  assert.equal(all[0]?.status, 500);
  await until("nothing is in flight", () => served.server.inFlight().length === 0);
  await new Promise((resolve) => setTimeout(resolve, 1300));
  assert.match(String(served.errors), /changes the prototype of its requests, as Express does/);
  assert.equal((await ask(session)).code, 13);
  const { port } = served;
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "0 bytes");
});
