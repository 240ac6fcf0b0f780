/** `--max-in-flight` and its settings through the built command: what clients, the log, the metrics and probes see. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { requestControl } from "../../src/control/control-client.ts";
import type { StatsReport } from "../../src/control/stats.ts";
import { ExitCode } from "../../src/errors.ts";
import { ask } from "../support/ask.ts";
import { FIXTURES, RunningCommand, startCommand, temporaryFolder, until } from "../support/command.ts";
import { type RawClient, statuses } from "../support/engine.ts";
import { readMetrics, sumOf } from "../support/metrics-text.ts";
import { rawClient } from "../support/raw-answer.ts";

const HELD = join(FIXTURES, "overload", "held.mjs");
const get = (target: string, fields = ""): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;

async function serve(context: TestContext, app: string, ...args: string[]) {
  const control = join(temporaryFolder(context), "c.ctl");
  const command = startCommand(context, [app, "-b", "127.0.0.1:0", "--control-socket", control, ...args]);
  await command.ready();
  const port = await command.port();
  const rejected = async (reason: string): Promise<number> => {
    const { text } = await ask({ path: control }, "/metrics");
    return sumOf(
      readMetrics(text).samples,
      "tsgun_requests_rejected_total",
      new RegExp(`reason="${reason}"`),
    );
  };
  /** Waits until that many are counted: a listener's answer is with its client before that. */
  const counts = async (reason: string, wanted: number): Promise<void> => {
    const counted = await until(`${wanted} are counted as ${reason}`, async () => {
      const count = await rejected(reason);
      return count >= wanted && { count };
    });
    assert.equal(counted.count, wanted, reason);
  };
  /** Waits until the worker has read the request for this. */
  const arrived = (target: string): Promise<unknown> =>
    until(`the worker to have ${target}`, async () =>
      JSON.stringify((await requestControl(control, "GET", "/requests")).body).includes(`"${target}"`),
    );
  return { command, control, port, client: () => rawClient(context, port), counts, arrived };
}

/** Waits for the answers to all that was sent. */
async function answers(client: RawClient, count: number): Promise<number[]> {
  return statuses(await client.until((text) => statuses(text).length === count, `${count} answers`));
}

/** One request waits, and others are refused: `/stats` and the commands say so within a second or two. */
async function isShown(control: string, refuse: () => void): Promise<void> {
  const report = await until("the report to have measured it", async () => {
    refuse();
    const stats = (await requestControl(control, "GET", "/stats")).body as StatsReport;
    return stats.waiting === 1 && stats.rates.shedPerSecond > 0 ? stats : undefined;
  });
  assert.deepEqual(report.inFlightLimit, { places: 1, waiting: 1 });
  assert.equal(report.workers[0]?.waiting, 1);
  assert.ok((report.totals.rejected.overload ?? 0) > 5);
  const run = async (...words: string[]): Promise<string> => {
    const command = new RunningCommand([...words, "--control-socket", control], {});
    await command.exited;
    return command.stdout;
  };
  const [workers, stats] = await Promise.all([run("ctl", "workers"), run("ctl", "stats")]);
  assert.match(workers, / REQUESTS +WAITING +SHED\/S +IN FLIGHT .*\n.* 1 +\d[\d.]* +2 /);
  assert.match(stats, /^in flight +2, 1 of them waiting \(each worker: at most 1, and 1 that wait\)$/m);
  assert.match(stats, /^shed +\d\S* per second \(of the last \d+s\)$/m);
}

/** Commands of a busy machine take longer than the default timeout of the queue. */
const SETTINGS = [
  ...["--max-in-flight", "1", "--max-queue", "1", "--queue-timeout", "1m"],
  ...["--never-shed", "/healthz,/release"],
];

for (const kind of ["handler", "listener"]) {
  describe(`a ${kind} with one place`, () => {
    test("what waits is answered; more is refused, counted and logged once; probes and control pass", async (t) => {
      const { command, control, port, client, counts, arrived } = await serve(
        t,
        `${HELD}:${kind}`,
        ...SETTINGS,
      );
      const [holding, waiting, refused] = [await client(), await client(), await client()];
      holding.send(get("/hold"));
      await arrived("/hold");
      waiting.send(get("/waited"));
      await arrived("/waited");
      for (let count = 1; count <= 5; count += 1) {
        refused.send(get("/refused"));
        assert.equal((await answers(refused, count)).at(-1), 503);
      }
      assert.match(refused.received, /^retry-after: 1\r$/im);
      assert.equal((await ask({ host: "127.0.0.1", port }, "/healthz")).status, 200);
      const injected = await requestControl(control, "POST", "/inject", { path: "/injected" });
      assert.equal((injected.body as { status: number }).status, 200, JSON.stringify(injected.body));
      await counts("overload", 5);
      await isShown(control, () => refused.send(get("/refused")));
      assert.equal(command.lines(/too many requests/).length, 1, "one line a minute");
      assert.match(
        await command.line(/too many requests/),
        /its queue is full \(1 of 1 in flight, 1 of 1 waiting\)/,
      );
      await ask({ host: "127.0.0.1", port }, "/release");
      await waiting.until((text) => text.endsWith("answered /waited"));
      await holding.until((text) => text.endsWith("answered /hold"));
    });

    test("the time of a request counts from the X-Request-Start of a trusted proxy", async (t) => {
      const { client, counts } = await serve(t, `${HELD}:${kind}`, ...SETTINGS, "--queue-timeout", "30s");
      const sent = await client();
      const started = (ago: number): string =>
        get("/started", `X-Request-Start: t=${((Date.now() - ago) / 1000).toFixed(3)}\r\n`);
      sent.send(started(60_000));
      sent.send(started(0));
      assert.deepEqual(await answers(sent, 2), [503, 200]);
      await counts("queue_timeout", 1);
    });
  });
}

test("a worker is not killed for being busy, however much comes: its loop turns between two requests", async (t) => {
  const words = ["--max-in-flight", "8", "--timeout", "1s", "--queue-timeout", "0"];
  const { command, client, counts } = await serve(t, `${HELD}:listener`, ...words);
  const before = command.workers();
  // Each takes 100 ms: all that come at once would keep the loop busy for 3 s, in one turn.
  const clients = await Promise.all(Array.from({ length: 30 }, client));
  for (const each of clients) each.send(get("/block?100"));
  const all = await Promise.all(clients.map((each) => answers(each, 1)));
  const count = (status: number): number => all.filter(([each]) => each === status).length;
  assert.ok(count(200) >= 9, `${count(200)} were answered`);
  assert.equal(count(503), 30 - count(200));
  await counts("overload", count(503));
  assert.deepEqual(command.workers(), before);
  assert.deepEqual(command.lines(/blocked|stuck|killed/), []);
});

test("a server with a protocol of its own refuses a limit that it would not keep", async (t) => {
  const app = join(FIXTURES, "servers", "http2.cjs");
  const command = startCommand(t, [app, "-b", "127.0.0.1:0", "--no-control-socket", "--max-in-flight", "5"]);
  await command.line(/--max-in-flight 5 is for requests of HTTP, which .* reads itself/);
  assert.equal((await command.ended()).code, ExitCode.appLoad);
});
