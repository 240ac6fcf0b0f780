/** No counter falls and no request is lost or counted twice, whatever happens to workers and arbiters under load. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { StatsReport } from "../../src/control/stats.ts";
import { ask } from "../support/ask.ts";
import {
  FIXTURES,
  isAlive,
  type RunningCommand,
  startCommand,
  temporaryFolder,
  until,
} from "../support/command.ts";
import { CountedClients } from "../support/counted-clients.ts";
import { freePort } from "../support/free-port.ts";
import { MonotonicCounters, readMetrics, type Samples, sumOf } from "../support/metrics-text.ts";

const APP = join(FIXTURES, "stats", "app.mjs");
const REQUESTS = "http_server_request_duration_seconds_count";
const PATHS = ["/", "/", "/broken", "/", "/slow?5"];

interface Stage {
  readonly command: RunningCommand;
  readonly server: { readonly host: string; readonly port: number };
  readonly socket: { readonly path: string };
  readonly admin: { readonly host: string; readonly port: number };
}

async function stage(context: TestContext, ...flags: readonly string[]): Promise<Stage> {
  const socket = { path: join(temporaryFolder(context), "c.ctl") };
  const [port, adminPort] = [await freePort(), await freePort()];
  const command = startCommand(context, [
    ...[APP, "-b", `127.0.0.1:${port}`, "-w", "3", "--control-socket", socket.path],
    ...["--admin-bind", `127.0.0.1:${adminPort}`, ...flags],
  ]);
  await command.ready();
  const [server, admin] = [port, adminPort].map((each) => ({ host: "127.0.0.1", port: each }));
  return { command, socket, server: server as Stage["server"], admin: admin as Stage["admin"] };
}

/** Scrapes both endpoints, in turn, until it is stopped. The arbiter that responds may change between two. */
class Scraper {
  readonly counters = new MonotonicCounters();
  #isStopped = false;
  readonly #scrapes: Promise<void>;

  constructor({ socket, admin }: Stage) {
    this.#scrapes = (async () => {
      while (!this.#isStopped) {
        for (const target of [admin, socket]) {
          const answer = await ask(target, "/metrics").catch(() => undefined);
          // The control socket's name is gone for a moment if a successor fails.
          if (answer?.status === 200) this.counters.add(answer.text, "path" in target ? "control" : "admin");
        }
        await pause(20);
      }
    })();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#scrapes;
    assert.deepEqual(this.counters.faults.slice(0, 10), [], `${this.counters.faults.length} counters fell`);
  }
}

/** Waits until so many more responses have come. */
async function served(clients: CountedClients, more = 150): Promise<void> {
  const wanted = clients.answered + more;
  await until(`${more} more requests are served`, () => clients.answered >= wanted);
}

async function stats({ socket }: Stage): Promise<StatsReport> {
  return JSON.parse((await ask(socket, "/stats")).text) as StatsReport;
}

/** Upgrades the server, and waits until the old arbiter has gone. */
async function upgrade(at: Stage): Promise<void> {
  const old = at.command.arbiters().at(-1) as number;
  process.kill(old, "SIGUSR2");
  await until(
    "the new arbiter serves alone",
    () => !isAlive(old) || (old === at.command.pid && at.command.exit),
  );
}

async function metrics({ socket }: Stage): Promise<Samples> {
  return readMetrics((await ask(socket, "/metrics")).text).samples;
}

test("every request is counted once through recycling, HUP and USR2", async (context) => {
  const at = await stage(context, "--max-requests", "50");
  const scraper = new Scraper(at);
  const clients = new CountedClients(at.server, PATHS, 6);
  await served(clients, 600);
  at.command.kill("SIGHUP");
  await at.command.ready(2);
  await served(clients);
  await upgrade(at);
  await served(clients);
  await upgrade(at);
  await served(clients, 300);
  await clients.stop();
  const ended = await until("all requests are counted", async () => {
    const samples = await metrics(at);
    return sumOf(samples, REQUESTS) >= clients.answered && samples;
  });
  await scraper.stop();
  context.diagnostic(`${clients.answered} requests, ${scraper.counters.scrapes} scrapes`);
  assert.equal(clients.failed, 0);
  for (const [status, count] of clients.statuses)
    assert.equal(sumOf(ended, REQUESTS, new RegExp(`status_code="${status}"`)), count, status);
  assert.equal(sumOf(ended, REQUESTS), clients.answered, "nothing else was counted");
  assert.ok(sumOf(ended, "tsgun_worker_exits_total", /max_requests/) >= 5);
  // Some of the six were being replaced already.
  assert.ok(sumOf(ended, "tsgun_worker_exits_total", /reason="upgrade"/) >= 1);
  assert.equal(sumOf(ended, "tsgun_worker_exits_total", /scale|crash|killed|stuck/), 0);
  assert.deepEqual(
    [sumOf(ended, "tsgun_reloads_total", /success/), sumOf(ended, "tsgun_upgrades_total", /success/)],
    [1, 2],
  );
  const starts = sumOf(ended, "tsgun_worker_starts_total");
  const exits = sumOf(ended, "tsgun_worker_exits_total");
  const living = sumOf(ended, "tsgun_workers");
  assert.equal(starts, exits + living);
});

test("workers that are killed and one whose heap is full lose what they were doing, and no count", async (context) => {
  const at = await stage(context, "--max-old-space", "64M");
  const scraper = new Scraper(at);
  const clients = new CountedClients(at.server, PATHS, 6);
  for (let round = 0; round < 4; round++) {
    await served(clients);
    const { workers } = await stats(at);
    process.kill(workers[round % workers.length]?.pid ?? 0, "SIGKILL");
  }
  await served(clients);
  await ask(at.server, "/fill").catch(() => undefined);
  await until("the end of the heap is counted", async () => (await stats(at)).totals.exits.heap_oom === 1);
  await served(clients);
  // The old arbiter is killed while it and its workers still serve beside the new one.
  process.kill(at.command.pid, "SIGUSR2");
  const successor = await until("a new arbiter starts", () => at.command.arbiters()[1]);
  await until("it reads the sums of both", async () => (await stats(at)).server.pid !== 0);
  await at.command.ready(1);
  await until("it serves", () => at.command.lines(/New arbiter .* is ready/).length > 0);
  at.command.kill("SIGKILL");
  await until("the new one is alone", async () => (await stats(at)).server.pid === successor);
  await served(clients);
  await clients.stop();
  await pause(0);
  const ended = await until("all requests are counted", async () => {
    const samples = await metrics(at);
    const isAlone = sumOf(samples, "http_server_active_requests") === 0;
    return isAlone && sumOf(samples, REQUESTS) >= clients.answered && samples;
  });
  await scraper.stop();
  const killed = sumOf(ended, REQUESTS, /worker_killed/);
  const lost = clients.failed + 1;
  context.diagnostic(`${clients.answered} answered, ${clients.failed} failed, ${killed} counted as killed`);
  assert.ok(killed >= 1 && killed <= lost + 6, `${killed} counted as killed, ${lost} lost`);
  for (const [status, count] of clients.statuses) {
    const counted = sumOf(ended, REQUESTS, new RegExp(`status_code="${status}"`));
    // A request that a worker had answered but not counted when it was killed is counted as killed.
    assert.ok(
      counted <= count + lost && counted >= count - 6,
      `${status}: ${counted} counted, ${count} received`,
    );
  }
  assert.ok(sumOf(ended, REQUESTS) >= clients.answered && sumOf(ended, REQUESTS) <= clients.answered + lost);
  assert.equal(sumOf(ended, "tsgun_worker_exits_total", /reason="heap_oom"/), 1);
  assert.equal(sumOf(ended, "tsgun_worker_exits_total", /reason="killed"/), 4);
});
