/** Express, Koa and Fastify on node's own server: what a drain and clients that break off do to them. */
import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { until } from "../../support/command.ts";
import { statuses } from "../../support/engine.ts";
import { onBothServers } from "../../support/node-engine.ts";

/** A file of JavaScript, as its users write it. */
const APPS: string = "../../fixtures/apps/frameworks/busy.js";

async function listenerOf(name: string): Promise<RequestListener> {
  const apps = (await import(APPS)) as { [name: string]: () => RequestListener | Promise<RequestListener> };
  return (await apps[name]?.()) as RequestListener;
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

onBothServers((startNodeEngine) => {
  for (const name of ["express", "koa", "fastify"]) {
    describe(name, { concurrency: true }, () => {
      test("completes requests in flight and answers new ones during a drain, with Connection: close", async (t) => {
        const { server, client } = await startNodeEngine(t, await listenerOf(name));
        const [idle, slow, stream] = [await client(), await client(), await client()];
        idle.send(get("/"));
        await idle.until((text) => text.endsWith("0 bytes"));
        slow.send(get("/slow"));
        stream.send(get("/stream"));
        await stream.until((text) => text.includes("one "));
        await until("the slow request is in flight", () =>
          server.inFlight().some(({ target }) => target === "/slow"),
        );
        const drained = server.drain(300);
        idle.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\nContent-Length: 3\r\n\r\nabc");
        assert.match(await idle.rest(), /Connection: close\r\n[\s\S]*3 bytes$/i);
        assert.match(await slow.rest(), /Connection: close\r\n[\s\S]*late$/i);
        assert.match(await stream.rest(), /three\r\n0\r\n\r\n$/);
        await drained;
        await until(
          "no connection is open and no request is in flight",
          () => server.connections === 0 && server.inFlight().length === 0,
        );
      });

      test("survives clients that disconnect during an upload, a response and a pipeline", async (t) => {
        const { server, client } = await startNodeEngine(t, await listenerOf(name));
        const upload = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\nContent-Length: 100\r\n\r\nabc";
        for (const bytes of [upload, get("/slow"), get("/stream"), get("/slow") + get("/stream") + upload]) {
          for (const way of ["destroy", "resetAndDestroy"] as const) {
            const raw = await client();
            raw.send(bytes);
            await until("the request is in flight", () => server.inFlight().length > 0);
            raw.socket[way]();
            await until("nothing is in flight", () => server.inFlight().length === 0);
          }
        }
        // Requests that the apps had begun end here.
        await pause(1300);
        const raw = await client();
        raw.send(get("/"));
        await raw.until((text) => text.endsWith("0 bytes"));
        assert.deepEqual(statuses(raw.received), [200]);
      });
    });
  }
});
