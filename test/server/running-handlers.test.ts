/** Handlers that still run after their response, and abandoned ones, while a worker drains. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { Handler } from "../../src/gateway/types.ts";
import type { WorkerServer } from "../../src/server/server.ts";
import { DEFAULT_TIMEOUTS } from "../../src/server/server-options.ts";
import { until } from "../support/command.ts";
import { type RawClient, startEngine } from "../support/engine.ts";
import { type ServerOwner, startNodeEngine } from "../support/node-engine.ts";

interface Stage {
  readonly server: WorkerServer;
  client(): Promise<RawClient>;
}

/** An app that responds unless told otherwise, and then waits for `work`. */
type Start = (context: TestContext, work: () => Promise<void>, request?: number) => Promise<Stage>;

const gateway: Start = async (context, work, request = DEFAULT_TIMEOUTS.request) => {
  const handle: Handler = async ({ path }, respond) => {
    if (path === "/") respond(200, null, "answered");
    await work();
  };
  const engine = await startEngine(context, handle, { timeouts: { ...DEFAULT_TIMEOUTS, request } });
  return { server: engine.server, client: engine.connect };
};

const node =
  (owner: ServerOwner): Start =>
  async (context, work, request = DEFAULT_TIMEOUTS.request) =>
    await startNodeEngine(
      context,
      async ({ url }, response) => {
        if (url === "/") response.end("answered");
        await work();
      },
      { timeouts: { ...DEFAULT_TIMEOUTS, request }, onError: () => {}, owner },
    );

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
const never = (): Promise<never> => new Promise(() => {});

/** Whether the server has drained so far. */
function draining(server: WorkerServer): { readonly over: boolean; readonly end: Promise<void> } {
  const state = { over: false, end: server.drain(0) };
  void state.end.then(() => {
    state.over = true;
  });
  return state;
}

for (const [name, start] of [
  ["the engine", gateway],
  ["node's server", node("ours")],
  ["a server of the app", node("the app's")],
] as const) {
  describe(name, () => {
    test("draining waits for a handler that runs after its response; destroying does not", async (context) => {
      for (const how of ["done", "destroyed"]) {
        let done: () => void = () => {};
        const work = new Promise<void>((resolve) => {
          done = resolve;
        });
        const { server, client } = await start(context, () => work);
        const raw = await client();
        raw.send(get("/"));
        assert.match(await raw.rest(), /answered/);
        await until("the connection is closed", () => server.connections === 0);
        const drain = draining(server);
        for (let turns = 0; turns < 20; turns++) await turn();
        assert.equal(drain.over, false, how);
        if (how === "done") done();
        else server.destroy();
        await drain.end;
      }
    });

    test("draining does not wait long for a handler whose client is gone or whose request timed out", async (context) => {
      const { server, client } = await start(context, never, 100);
      const late = await client();
      late.send(get("/never"));
      assert.match(await late.rest(), / 503 /);
      const gone = await client();
      gone.send(get("/never"));
      await until("the request is in flight", () => server.inFlight().length > 0);
      gone.socket.resetAndDestroy();
      await draining(server).end;
    });
  });
}

test("draining does not wait for the handler of an upgrade whose connection is closed", async (context) => {
  const engine = await startEngine(context, {
    handle: (_request, respond) => {
      respond(200);
    },
    upgrade: async (_request, respond) => {
      respond.upgrade({ upgrade: "lines" }).resume();
      await never();
    },
  });
  const client = await engine.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: lines\r\n\r\n");
  await client.until((text) => text.includes("101 Switching Protocols"));
  client.socket.destroy();
  await until("the connection is closed", () => engine.server.connections === 0);
  const drain = draining(engine.server);
  await until("it has drained", () => drain.over);
});
