/** How long a client may take to send the content of a request: the arithmetic, and on both servers. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { BodyError } from "../../src/errors.ts";
import type { Handler } from "../../src/gateway/types.ts";
import { toNodeListener } from "../../src/interop/node.ts";
import { ContentPace } from "../../src/server/content-pace.ts";
import { DEFAULT_TIMEOUTS, type ServerTimeouts } from "../../src/server/server-options.ts";
import { type RawClient, startEngine } from "../support/engine.ts";
import { type ServerOwner, startNodeEngine } from "../support/node-engine.ts";

describe("ContentPace", () => {
  const limits = { body: 1000, bodyTotal: 5000, bodyMinRate: 100 };

  test("a client that sends nothing has the whole time", () => {
    const pace = new ContentPace(limits);
    assert.equal(pace.resume(0), 1000);
    assert.equal(pace.resume(400), 1000);
  });

  test("each byte buys time, up to the whole time", () => {
    const pace = new ContentPace(limits);
    pace.resume(0);
    pace.received(10, 500);
    assert.equal(pace.resume(500), 1100, "500 ms spent, 100 bought");
    pace.received(1_000_000, 600);
    assert.equal(pace.resume(600), 1600);
  });

  test("a client below the minimum rate times out", () => {
    const pace = new ContentPace(limits);
    let now = 0;
    while (now < pace.resume(now)) {
      now += 100;
      pace.received(1, now);
    }
    assert.equal(now, 1200, "90 ms lost with each byte, and seen at the next one");
  });

  test("the minimum rate is enough", () => {
    const pace = new ContentPace({ ...limits, bodyTotal: Number.POSITIVE_INFINITY });
    for (let now = 0; now < 100_000; now += 900) {
      assert.ok(now < pace.resume(now), `at ${now}`);
      pace.received(90, now + 900);
    }
  });

  test("the whole content has a limit too", () => {
    const pace = new ContentPace(limits);
    pace.resume(0);
    for (let now = 500; now < 5000; now += 500) pace.received(1000, now);
    assert.equal(pace.resume(4500), 5000);
  });

  test("paused time does not count", () => {
    const pace = new ContentPace(limits);
    pace.resume(0);
    pace.pause(300);
    pace.received(1, 50_000);
    assert.equal(pace.resume(60_000), 60_000 + 710);
  });

  test("a client is steady while its last byte has come in time", () => {
    const pace = new ContentPace(limits);
    pace.resume(0);
    assert.deepEqual(pace.lateness(300), { late: 300, steady: false }, "it has not begun");
    pace.received(1, 500);
    assert.deepEqual(pace.lateness(600), { late: 590, steady: false }, "a byte, which has bought 10 ms");
    pace.received(1000, 700);
    assert.deepEqual(pace.lateness(900), { late: 200, steady: true });
    pace.received(1, 901);
    assert.equal(pace.lateness(902).steady, false);
  });

  test("without a minimum rate all clients are steady", () => {
    const pace = new ContentPace({ ...limits, bodyMinRate: 0 });
    pace.resume(0);
    assert.deepEqual(pace.lateness(700), { late: 700, steady: true });
    pace.received(1, 800);
    assert.deepEqual(pace.lateness(900), { late: 100, steady: true });
  });

  test("without limits there is no deadline", () => {
    const none = Number.POSITIVE_INFINITY;
    const pace = new ContentPace({ body: none, bodyTotal: none, bodyMinRate: 240 });
    pace.resume(0);
    pace.received(1, 1e9);
    assert.equal(pace.resume(2e9), none);
  });
});

type Start = (test: TestContext, handler: Handler, timeouts: Partial<ServerTimeouts>) => Promise<Server>;

interface Server {
  readonly errors: readonly Error[];
  connect(): Promise<RawClient>;
}

const nodeServer =
  (owner: ServerOwner): Start =>
  async (test, handler, timeouts) => {
    const errors: Error[] = [];
    const { client } = await startNodeEngine(test, toNodeListener(handler, { onError: () => {} }), {
      timeouts: { ...DEFAULT_TIMEOUTS, ...timeouts },
      onError: (error) => errors.push(error),
      owner,
    });
    return { errors, connect: client };
  };

const SERVERS: Record<string, Start> = {
  "the gateway engine": (test, handler, timeouts) =>
    startEngine(test, handler, { timeouts: { ...DEFAULT_TIMEOUTS, ...timeouts } }),
  "node's own server": nodeServer("ours"),
  "a server of the app": nodeServer("the app's"),
};

const post = (path: string, length: number): string =>
  `POST ${path} HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${length}\r\n\r\n`;

/** Sends single bytes while the connection is open. Returns how many were sent. */
async function trickle(client: RawClient, every: number, most: number): Promise<number> {
  for (let sent = 0; ; sent += 1) {
    if (client.ended || sent === most) return sent;
    client.send("x");
    await new Promise((resolve) => setTimeout(resolve, every));
  }
}

const read: Handler = async (request, respond) => {
  if (request.path === "/ignored") return respond(200, {}, "ignored");
  const size = (await request.body.bytes()).length;
  return respond(200, {}, `${size} bytes`);
};

for (const [name, start] of Object.entries(SERVERS)) {
  describe(name, () => {
    test("slow content gets 408, reported as the client's fault", async (t) => {
      const { connect, errors } = await start(t, read, { body: 400 });
      const client = await connect();
      client.send(post("/", 10_000));
      assert.ok((await trickle(client, 50, 400)) < 400, "the client was cut");
      assert.match(client.received, /^HTTP\/1\.1 408 /);
      assert.deepEqual(
        errors.map((error) => error instanceof BodyError && error.status),
        [408],
      );
    });

    test("slow content is served without a minimum rate, within the total time", async (t) => {
      const { connect } = await start(t, read, { body: 2000, bodyMinRate: 0 });
      const client = await connect();
      client.send(post("/", 10));
      await trickle(client, 20, 10);
      await client.until((received) => received.includes("10 bytes"), "the answer");
      const hurried = await start(t, read, { body: 2000, bodyMinRate: 0, bodyTotal: 400 });
      const late = await hurried.connect();
      late.send(post("/", 10_000));
      assert.ok((await trickle(late, 50, 400)) < 400, "the client was cut");
      assert.match(late.received, /^HTTP\/1\.1 408 /);
    });

    test("slow content after the response ends the connection", async (t) => {
      const { connect } = await start(t, read, { body: 400 });
      const client = await connect();
      client.send(post("/ignored", 10_000));
      await client.until((received) => received.includes("ignored"), "the answer");
      assert.ok((await trickle(client, 50, 400)) < 400, "the client was cut");
      assert.doesNotMatch(client.received, /408/);
    });

    test("an app that reads slowly does not use up its client's time", async (t) => {
      const content = "x".repeat(1024 * 1024);
      const slow: Handler = async (request, respond) => {
        let size = 0;
        let naps = 0;
        for await (const piece of request.body) {
          size += piece.length;
          naps += 1;
          if (naps <= 3) await new Promise((resolve) => setTimeout(resolve, 300));
        }
        respond(200, {}, `${size} bytes`);
      };
      const { connect } = await start(t, slow, { body: 200, bodyTotal: 1000 });
      const client = await connect();
      client.send(post("/", content.length) + content);
      await client.until((received) => /bytes|HTTP\/1.1 4/.test(received), "the answer");
      assert.match(client.received, /1048576 bytes/);
    });
  });
}
