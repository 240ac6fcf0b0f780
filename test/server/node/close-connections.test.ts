/** A listener that closes connections through the server of a request's socket closes those that node's own server would. */
import assert from "node:assert/strict";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import { test } from "node:test";
import { untrackConnections } from "../../../src/server/node/http-server.ts";
import { onBothServers } from "../../support/node-engine.ts";

const GET = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

function serverOf({ socket }: IncomingMessage): Server {
  return (socket as unknown as { server: Server }).server;
}

onBothServers((startNodeEngine) => {
  test("closeIdleConnections() closes connections between requests, and no others", async (t) => {
    let held: ServerResponse | undefined;
    const { client } = await startNodeEngine(t, (request, response) => {
      if (request.url === "/hold") held = response;
      else if (request.url === "/close") {
        serverOf(request).closeIdleConnections();
        response.end("[closed]");
      } else response.end("[served]");
    });
    const [idle, holding, closing] = [await client(), await client(), await client()];
    const arriving = await client();
    for (const each of [idle, arriving]) {
      each.send(GET("/"));
      await each.until((text) => text.includes("[served]"));
    }
    arriving.send("GET /late HTTP/1.1\r\n");
    holding.send(GET("/hold"));
    while (held === undefined) await new Promise((resolve) => setImmediate(resolve));
    closing.send(GET("/close"));
    await closing.until((text) => text.includes("[closed]"));
    assert.match(await idle.rest(), /\[served\]$/);
    held.end("[held]");
    await holding.until((text) => text.includes("[held]"));
    arriving.send("Host: a\r\n\r\n");
    await arriving.until((text) => text.split("[served]").length === 3);
    closing.send(GET("/"));
    await closing.until((text) => text.includes("[served]"));
  });

  test("closeAllConnections() closes connections with and without a request", async (t) => {
    const { client } = await startNodeEngine(
      t,
      (request, response) => {
        if (request.url === "/close") serverOf(request).closeAllConnections();
        else if (request.url === "/") response.end("[served]");
      },
      { onError: () => {} },
    );
    const [idle, holding, closing] = [await client(), await client(), await client()];
    idle.send(GET("/"));
    await idle.until((text) => text.includes("[served]"));
    holding.send(GET("/hold"));
    closing.send(GET("/close"));
    assert.deepEqual([await closing.rest(), await holding.rest()], ["", ""]);
    assert.match(await idle.rest(), /\[served\]$/);
  });
});

test("node's list of connections is not made for a server of ours", () => {
  const server = createServer();
  assert.equal(server.listenerCount("listening"), 1);
  assert.equal(untrackConnections(server), true);
  assert.equal(server.listenerCount("listening"), 0);
  assert.equal(untrackConnections(server), false);
});
