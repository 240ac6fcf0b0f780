/** Too many requests, for both servers: what waits, what is refused, and what becomes of its connection. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { GatewayRequest, Respond, ServerAnswer } from "../../src/gateway/types.ts";
import { InFlightGate, type InFlightGateOptions } from "../../src/server/in-flight-gate.ts";
import type { WorkerServer } from "../../src/server/server.ts";
import { DEFAULT_TIMEOUTS } from "../../src/server/server-options.ts";
import { until } from "../support/command.ts";
import { type RawClient, startEngine, statuses } from "../support/engine.ts";
import { onBothServers, type ServerOwner, startNodeEngine } from "../support/node-engine.ts";

/** A server whose app answers a request for `/hold` when it is told to, and others at once. */
interface Stage {
  readonly server: WorkerServer;
  readonly gate: InFlightGate;
  /** The targets that the app was called with. */
  readonly called: string[];
  client(): Promise<RawClient>;
  release(): void;
}

type Start = (context: TestContext, gate: InFlightGateOptions, requestTimeout?: number) => Promise<Stage>;

function holder() {
  const called: string[] = [];
  const held: (() => void)[] = [];
  return {
    called,
    work: async (target: string): Promise<void> => {
      called.push(target);
      if (target === "/hold") await new Promise<void>((resolve) => held.push(resolve));
    },
    release: () => {
      for (const resolve of held.splice(0)) resolve();
    },
  };
}

test("the engine has the app dress a refusal, which keeps Retry-After", async (t) => {
  const gate = new InFlightGate({ maxInFlight: 1, maxQueue: 0 });
  const { work, release } = holder();
  const app = {
    handle: async ({ target }: GatewayRequest, respond: Respond) => {
      await work(target);
      respond(200, null, "answered");
    },
    onServerAnswer: ({ status, request }: ServerAnswer) => ({ body: `${status} for ${request?.path}` }),
  };
  const { connect, exchange } = await startEngine(t, app, { gate });
  const first = await connect();
  first.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
  await until("it is held", () => gate.inFlight === 1);
  const refused = await exchange("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.match(refused, /^HTTP\/1\.1 503 [\s\S]*\r\nretry-after: \d+\r\n[\s\S]*\r\n\r\n503 for \/next$/i);
  release();
});

const engine: Start = async (context, options, request = DEFAULT_TIMEOUTS.request) => {
  const gate = new InFlightGate(options);
  const { called, work, release } = holder();
  const started = await startEngine(
    context,
    async ({ target }, respond) => {
      await work(target);
      respond(200, null, `answered ${target}`);
    },
    { gate, timeouts: { ...DEFAULT_TIMEOUTS, request } },
  );
  return { server: started.server, gate, called, release, client: started.connect };
};

const node =
  (owner: ServerOwner): Start =>
  async (context, options, request = DEFAULT_TIMEOUTS.request) => {
    const gate = new InFlightGate(options);
    const { called, work, release } = holder();
    const started = await startNodeEngine(
      context,
      async ({ url = "" }, response) => {
        await work(url);
        response.end(`answered ${url}`);
      },
      { owner, gate, timeouts: { ...DEFAULT_TIMEOUTS, request }, onError: () => {} },
    );
    return { server: started.server, gate, called, release, client: started.client };
  };

const get = (target: string, fields = ""): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
/** The content of a 503; the reason of its status line ends otherwise. */
const REFUSAL = "Service Unavailable\n";
const RETRY = /^retry-after: 1\r$/im;
const CLOSES = /^connection: close\r$/im;

for (const [name, start] of [
  ["the engine", engine],
  ["node's server", node("ours")],
  ["a server of the app", node("the app's")],
] as const) {
  describe(name, () => {
    /** A stage whose only place is held. */
    async function full(context: TestContext, options: Partial<InFlightGateOptions> = {}): Promise<Stage> {
      const stage = await start(context, { maxInFlight: 1, ...options });
      const client = await stage.client();
      client.send(get("/hold", "Connection: close\r\n"));
      await until("the place to be held", () => stage.gate.inFlight === 1);
      return stage;
    }

    test("what has no place waits, and is answered in order; more is refused on a connection that stays", async (t) => {
      const stage = await full(t, { maxQueue: 1 });
      const [waiting, refused] = [await stage.client(), await stage.client()];
      waiting.send(get("/waited"));
      await until("it to wait", () => stage.gate.waiting === 1);
      refused.send(get("/refused"));
      await refused.until((text) => text.includes(REFUSAL), "the refusal");
      assert.deepEqual(statuses(refused.received), [503]);
      assert.match(refused.received, RETRY);
      assert.doesNotMatch(refused.received, CLOSES);
      assert.equal(waiting.received, "");
      stage.release();
      await waiting.until((text) => text.endsWith("answered /waited"));
      // The same connection works on.
      refused.send(get("/again"));
      await refused.until((text) => text.endsWith("answered /again"));
      assert.deepEqual(stage.called, ["/hold", "/waited", "/again"]);
      await until("the places to be free", () => stage.gate.inFlight === 0);
      assert.equal(stage.server.requests, 3, "a refusal counts as a response of the worker");
    });

    test("unread content is skipped if it is short; else the connection closes", async (t) => {
      const stage = await full(t, { maxQueue: 0 });
      const [short, long, expecting, chunked] = [
        await stage.client(),
        await stage.client(),
        await stage.client(),
        await stage.client(),
      ];
      short.send("POST /short HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
      await short.until((text) => text.includes(REFUSAL), "the refusal");
      short.send(`llo${get("/refused")}`);
      await short.until((text) => statuses(text).length === 2, "the second refusal");
      assert.doesNotMatch(short.received, CLOSES);
      long.send("POST /long HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\nhe");
      assert.match(await long.until((text) => text.includes(REFUSAL)), CLOSES);
      const fields = "Content-Length: 5\r\nExpect: 100-continue\r\n";
      expecting.send(`POST /expecting HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
      const answer = await expecting.until((text) => text.includes(REFUSAL));
      assert.match(answer, CLOSES);
      assert.deepEqual(statuses(answer), [503], "100 Continue was sent for a request that is refused");
      chunked.send("POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
      assert.match(await chunked.until((text) => text.includes(REFUSAL)), CLOSES);
      assert.deepEqual(stage.called, ["/hold"]);
    });

    test("HEAD and HTTP/1.0 are refused as they should be, and requests behind are not lost", async (t) => {
      const stage = await full(t, { maxQueue: 0 });
      const client = await stage.client();
      client.send(`HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n${get("/b")}${get("/c", "Connection: close\r\n")}`);
      const text = await client.rest();
      assert.deepEqual(statuses(text), [503, 503, 503]);
      assert.equal(text.split(REFUSAL).length - 1, 2, "one content too many or too few");
      const old = await stage.client();
      old.send("GET /old HTTP/1.0\r\n\r\n");
      assert.match(await old.rest(), /^HTTP\/1\.1 503 /);
    });

    test("a request whose client leaves while it waits is not run", async (t) => {
      const stage = await full(t, { maxQueue: 3 });
      const [reset, ended, patient] = [await stage.client(), await stage.client(), await stage.client()];
      for (const client of [reset, ended]) client.send(get("/gone"));
      await until("both to wait", () => stage.gate.waiting === 2);
      reset.socket.resetAndDestroy();
      ended.socket.destroy();
      await until("them to be forgotten", () => stage.gate.waiting === 0);
      patient.send(get("/patient"));
      await until("it to wait", () => stage.gate.waiting === 1);
      stage.release();
      await patient.until((text) => text.endsWith("answered /patient"));
      assert.deepEqual(stage.called, ["/hold", "/patient"]);
      await until("the places to be free", () => stage.gate.inFlight === 0);
    });

    test("a place is free again whatever ends the request: its client, its timeout, an error", async (t) => {
      const stage = await start(t, { maxInFlight: 1, maxQueue: 0 }, 100);
      const client = await stage.client();
      client.send(get("/hold"));
      await until("the place to be held", () => stage.gate.inFlight === 1);
      client.socket.destroy();
      await until("the place to be free", () => stage.gate.inFlight === 0);
      const late = await stage.client();
      late.send(get("/hold"));
      assert.match(await late.rest(), /^HTTP\/1\.1 503 /);
      await until("the place to be free", () => stage.gate.inFlight === 0);
      assert.doesNotMatch(late.received, RETRY, "it was shed");
    });

    test("the request timeout begins when the app is called", async (t) => {
      const stage = await start(t, { maxInFlight: 1, maxQueue: 1 }, 400);
      const first = await stage.client();
      first.send(get("/hold"));
      await until("the place to be held", () => stage.gate.inFlight === 1);
      await pause(250);
      const waiting = await stage.client();
      waiting.send(get("/hold"));
      // The first one times out while the second waits, which then has all of its time.
      await first.rest();
      await until("its turn", () => stage.called.length === 2);
      await pause(250);
      stage.release();
      await waiting.until((text) => text.endsWith("answered /hold"));
    });

    test("one that has waited too long is refused, and the connection stays", async (t) => {
      const stage = await full(t, { maxQueue: 2, queueTimeout: 50 });
      const client = await stage.client();
      client.send(get("/late"));
      const text = await client.until((received) => received.includes(REFUSAL), "the refusal");
      assert.match(text, RETRY);
      stage.release();
      client.send(get("/later"));
      await client.until((received) => received.endsWith("answered /later"));
      assert.deepEqual(stage.called, ["/hold", "/later"]);
    });

    test("spared paths neither wait nor count", async (t) => {
      const stage = await full(t, { maxQueue: 0, neverShed: ["/healthz"] });
      const client = await stage.client();
      client.send(get("/healthz?full=1") + get("/healthzz"));
      const text = await client.until((received) => statuses(received).length === 2);
      assert.deepEqual(statuses(text), [200, 503]);
      assert.equal(stage.gate.inFlight, 1);
    });

    test("a drain serves what waits; destroying answers it with 503", async (t) => {
      const drained = await full(t, { maxQueue: 1 });
      const waiting = await drained.client();
      waiting.send(get("/waited"));
      await until("it to wait", () => drained.gate.waiting === 1);
      const over = drained.server.drain(0);
      drained.release();
      assert.match(await waiting.rest(), /answered \/waited$/);
      await over;

      const destroyed = await full(t, { maxQueue: 1 });
      const cut = await destroyed.client();
      cut.send(get("/waited"));
      await until("it to wait", () => destroyed.gate.waiting === 1);
      destroyed.server.destroy();
      assert.match(await cut.rest(), /^HTTP\/1\.1 503 /);
      assert.deepEqual(destroyed.called, ["/hold"]);
    });
  });
}

const UPGRADE = get("/upgrade", "Connection: upgrade\r\nUpgrade: test\r\n");
const SWITCH = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: test\r\n\r\n";

describe("upgrades", () => {
  test("the engine counts one until it has changed protocols", async (t) => {
    const gate = new InFlightGate({ maxInFlight: 1, maxQueue: 1 });
    const { connect } = await startEngine(
      t,
      {
        handle: (_request, respond) => respond(200, null, "plain"),
        upgrade: (_request, respond) => {
          respond.upgrade({ upgrade: "test" }).write("hello");
        },
      },
      { gate },
    );
    const client = await connect();
    client.send(UPGRADE);
    await client.until((text) => text.endsWith("hello"));
    assert.equal(gate.inFlight, 0);
    const other = await connect();
    other.send(get("/"));
    await other.until((text) => text.endsWith("plain"));
  });

  onBothServers((start) => {
    test("one waits like a request, and counts no longer once the app has its connection", async (t) => {
      const gate = new InFlightGate({ maxInFlight: 1, maxQueue: 1 });
      let release = (): void => {};
      let upgrades = 0;
      const server = await start(
        t,
        (_request, response) => {
          release = () => response.end("released");
        },
        {
          gate,
          upgrade: (_request, socket) => {
            upgrades += 1;
            socket.write(SWITCH);
          },
        },
      );
      const [holding, waiting, refused, gone] = [
        await server.client(),
        await server.client(),
        await server.client(),
        await server.client(),
      ];
      holding.send(get("/"));
      await until("the place to be held", () => gate.inFlight === 1);
      gone.send(UPGRADE);
      await until("it to wait", () => gate.waiting === 1);
      gone.socket.resetAndDestroy();
      refused.send(UPGRADE);
      const text = await refused.rest();
      if (gate.waiting === 1 && /^HTTP\/1\.1 503 /.test(text)) assert.match(text, RETRY);
      release();
      waiting.send(UPGRADE);
      await waiting.until((received) => received.includes("101 "));
      await until("the places to be free", () => gate.inFlight === 0 && gate.waiting === 0);
      assert.ok(upgrades >= 1);
    });
  });
});
