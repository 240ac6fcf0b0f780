/** No deadline passes early, however long the event loop was blocked: on both servers. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import type { Handler } from "../../src/gateway/types.ts";
import { toNodeListener } from "../../src/interop/node.ts";
import type { WorkerServer } from "../../src/server/server.ts";
import { DEFAULT_TIMEOUTS, type ServerTimeouts } from "../../src/server/server-options.ts";
import { type RawClient, startEngine } from "../support/engine.ts";
import { type ServerOwner, startNodeEngine } from "../support/node-engine.ts";

interface Server {
  readonly server: WorkerServer;
  connect(): Promise<RawClient>;
}

type Start = (test: TestContext, handler: Handler, timeouts: Partial<ServerTimeouts>) => Promise<Server>;

const nodeServer =
  (owner: ServerOwner): Start =>
  async (test, handler, timeouts) => {
    const engine = await startNodeEngine(test, toNodeListener(handler), {
      timeouts: { ...DEFAULT_TIMEOUTS, ...timeouts },
      owner,
    });
    return { server: engine.server, connect: engine.client };
  };

const SERVERS: Record<string, Start> = {
  "the gateway engine": (test, handler, timeouts) =>
    startEngine(test, handler, { timeouts: { ...DEFAULT_TIMEOUTS, ...timeouts } }),
  "node's own server": nodeServer("ours"),
  "a server of the app": nodeServer("the app's"),
};

function block(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a.example\r\n\r\n`;

for (const [name, start] of Object.entries(SERVERS)) {
  describe(name, () => {
    test("keeps an idle connection for its whole time after a handler that blocked", async (t) => {
      let answeredAt = 0;
      const handler: Handler = (_, respond) => {
        block(600);
        respond(200, {}, "kept");
        answeredAt = performance.now();
      };
      const { connect } = await start(t, handler, { keepAlive: 300 });
      const client = await connect();
      client.send(get("/"));
      await client.rest();
      const kept = performance.now() - answeredAt;
      assert.match(client.received, /kept/);
      assert.ok(kept >= 300, `the connection was kept for ${kept} ms`);
    });

    test("gives requests queued behind one that blocks their whole time, and reports their age", async (t) => {
      const ages: number[] = [];
      const handler: Handler = async (request, respond) => {
        if (request.path === "/block") block(900);
        else {
          for (const { target, age } of server.inFlight()) if (target === request.target) ages.push(age);
          for (let step = 0; step < 5; step += 1) await pause(20);
        }
        respond(200, {}, `done ${request.path}`);
      };
      const { server, connect } = await start(t, handler, { request: 600 });
      const clients = await Promise.all([connect(), connect(), connect()]);
      // The server blocks some time into its tick.
      await pause(50);
      for (const [index, client] of clients.entries()) client.send(get(index === 0 ? "/block" : `/${index}`));
      for (const client of clients) {
        await client.until((received) => /done|503/.test(received), "an answer");
        assert.match(client.received, /done/);
      }
      assert.equal(ages.length, 2);
      assert.ok(
        ages.every((age) => age < 600),
        `the requests are ${ages} ms old when their handlers begin`,
      );
    });

    test("does not count time in which nothing could be received", async (t) => {
      const handler: Handler = async (request, respond) => {
        if (request.path === "/block") block(900);
        respond(200, {}, `${request.path} ${await request.body.text()}`);
      };
      const { connect } = await start(t, handler, { header: 500, body: 500 });
      const [blocking, head, body] = await Promise.all([connect(), connect(), connect()]);
      head.send("GET /head HTTP/1.1\r\nHost: a.example\r\n");
      body.send("POST /body HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\n1");
      await pause(200);
      blocking.send(get("/block"));
      await blocking.until((received) => received.includes("/block"), "the answer of the one that blocks");
      await pause(100);
      head.send("\r\n");
      body.send("2");
      for (const client of [head, body]) {
        await client.until((received) => /\/head|\/body 12|408/.test(received), "an answer");
        assert.match(client.received, / 200 /);
      }
    });
  });
}
