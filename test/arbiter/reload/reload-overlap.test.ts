/**
 * Overlapping reloads: the real Reload, Pool, Generations and ControlCommands, without processes and files. For any
 * sequence of requests, the serving generation is never lost, each request is settled once, with the outcome of a
 * generation that it went into, and the newest request wins.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ControlCommands } from "../../../src/arbiter/control/control-commands.ts";
import type { ReloadEvent } from "../../../src/arbiter/event.ts";
import { ArbiterLog } from "../../../src/arbiter/logs/arbiter-log.ts";
import type { Logs } from "../../../src/arbiter/logs/logs.ts";
import { ServerEvents } from "../../../src/arbiter/logs/server-events.ts";
import { firstBoot } from "../../../src/arbiter/pool/desired.ts";
import type { Limits } from "../../../src/arbiter/pool/limits.ts";
import { Pool, type PoolEffects } from "../../../src/arbiter/pool/pool.ts";
import { Generations } from "../../../src/arbiter/reload/generations.ts";
import { Reload } from "../../../src/arbiter/reload/reload.ts";
import { type Configuration, makeConfig } from "../../../src/config/config.ts";
import type { Outcome } from "../../../src/control/api.ts";
import type { ErrorLog } from "../../../src/log/error-log.ts";
import { paperStats } from "../../support/paper-stats.ts";
import { randomNumbers } from "../../support/random.ts";

const LIMITS: Limits = {
  boot: 60_000,
  graceful: 30_000,
  silence: Number.POSITIVE_INFINITY,
  crashes: undefined,
};

/** A configuration that records the newest request at the time its read began. */
function configuration(request: number, workers: number): Configuration {
  const values = { env: { REQUEST: String(request) }, workers };
  return { config: makeConfig([{ values, origin: () => "a test" }]), hooks: {} };
}

interface Reading {
  /** The newest request at its start. */
  readonly request: number;
  end(result: Configuration | Error): void;
}

class Stage {
  now = 1000;
  requests = 0;
  readonly outcomes = new Map<number, Outcome[]>();
  reading: Reading | undefined;
  readonly pool: Pool;
  readonly generations: Generations;
  readonly commands: ControlCommands;
  readonly reload: Reload;
  readonly #mailbox: ReloadEvent[] = [];
  readonly #requestOf = new Map<number, number>();
  /** The generations that were established or abandoned, in order. */
  readonly ended: string[] = [];

  constructor(workers: number, surge: number) {
    const log = new Proxy({}, { get: () => () => {} }) as ErrorLog;
    this.generations = new Generations(configuration(0, workers), "/nowhere");
    this.pool = new Pool(firstBoot(workers, surge, LIMITS), this.#effects(), () => this.now);
    const { pool, generations } = this;
    this.commands = new ControlCommands({
      pool,
      generations,
      minReady: 1,
      isSuccessorReady: () => false,
      tooManyWorkers: () => undefined,
      examinations: () => Promise.reject(new Error("not used")),
      addressOf: () => undefined,
      lostSockets: () => [],
      post: (command) => this.commands.handle(command),
      pidOf: (id) => id,
      reload: () => this.reload.request(),
      upgrade: () => Promise.reject(new Error("not here")),
      reopen: () => ({ ok: true, message: "" }),
      stop: () => pool.stopGracefully(),
      leavingFor: () => undefined,
      describe: () => ({
        name: "",
        version: "",
        app: "",
        folder: "/",
        startedIn: "/",
        config: null,
        listening: [],
      }),
    });
    this.reload = new Reload({
      ...{ pool, generations, commands: this.commands },
      arbiterLog: new ArbiterLog(log, new ServerEvents()),
      stats: paperStats(() => pool),
      logs: { errors: log, prepare: () => {}, adopt: () => {} } as unknown as Logs,
      readConfiguration: () => this.#read(),
      preflight: () => Promise.resolve(),
      rebindSockets: () => Promise.resolve(),
      sockets: { begun: () => {}, withdrawn: () => {}, established: () => {}, abandoned: () => {} },
      post: (event) => this.#mailbox.push(event),
    });
    pool.settle();
    for (const { id } of pool.roster) pool.workerReady(id);
    this.settle();
  }

  #effects(): PoolEffects {
    return {
      spawn: () => {},
      order: () => {},
      kill: () => {},
      overdue: () => {},
      bootFailed: () => {},
      unstarted: () => {},
      substitute: () => undefined,
      established: (generation) => {
        this.ended.push(`established ${generation}`);
        this.reload?.established(generation);
      },
      abandoned: (failure, established) => {
        this.ended.push(`abandoned ${this.generations.newest}`);
        this.reload.abandoned(failure, established);
      },
      limits: () => LIMITS,
    };
  }

  #read(): Promise<Configuration> {
    assert.equal(this.reading, undefined, "two reads at once");
    return new Promise((resolve, reject) => {
      this.reading = {
        request: this.requests,
        end: (result) => (result instanceof Error ? reject(result) : resolve(result)),
      };
    });
  }

  settle(): void {
    this.pool.settle();
    const { newest } = this.generations;
    this.#requestOf.set(newest, Number(this.generations.configOf(newest).env?.REQUEST));
    this.commands.checkPending();
  }

  ask(): number {
    this.requests += 1;
    const request = this.requests;
    const heard: Outcome[] = [];
    this.outcomes.set(request, heard);
    this.commands.handle({ name: "reload", settle: (outcome) => heard.push(outcome) });
    this.settle();
    return request;
  }

  /** Ends the current read; the arbiter's loop handles its result. */
  async read(outcome: "good" | "broken", workers = this.pool.desired.target): Promise<void> {
    const { reading } = this;
    assert.ok(reading !== undefined, "nothing is being read");
    this.reading = undefined;
    const { request } = reading;
    reading.end(
      outcome === "good" ? configuration(request, workers) : new Error(`reading ${request} failed`),
    );
    while (this.#mailbox.length === 0) await Promise.resolve();
    const living = this.pool.desired.candidate?.generation;
    const waited = this.#unanswered(living);
    this.reload.handle(this.#mailbox.shift() as ReloadEvent);
    this.settle();
    if (outcome === "good" || living === undefined) return;
    assert.deepEqual(
      this.#unanswered(living),
      waited,
      "a request was settled with the outcome of another generation",
    );
  }

  /** The requests that went into a generation and are not settled. */
  #unanswered(generation: number | undefined): number[] {
    if (generation === undefined) return [];
    const last = this.requestOf(generation);
    return [...this.outcomes]
      .filter(([request, heard]) => request <= last && heard.length === 0)
      .map(([request]) => request);
  }

  /** The newest request that went into a generation. */
  requestOf(generation: number): number {
    return this.#requestOf.get(generation) ?? -1;
  }

  ids(state: string, generation?: number): number[] {
    return this.pool.roster
      .filter((worker) => worker.state === state && (generation ?? worker.generation) === worker.generation)
      .map(({ id }) => id);
  }

  ready(id: number): void {
    this.pool.workerReady(id);
    this.settle();
  }

  gone(id: number): void {
    this.pool.workerGone(id, "was killed by SIGKILL");
    this.settle();
  }

  failed(id: number): void {
    const generation = this.pool.find(id)?.generation;
    this.pool.workerFailed(id, { kind: "load", message: `generation ${generation} is broken` });
    this.settle();
  }

  heard(request: number): string {
    const [outcome, ...more] = this.outcomes.get(request) ?? [];
    assert.deepEqual(more, [], `request ${request} is settled twice`);
    return outcome === undefined ? "" : outcome.ok ? outcome.message : outcome.error;
  }
}

test("a candidate proven while the next configuration is read is established, and the next one follows", async () => {
  const stage = new Stage(2, 1);
  const second = stage.ask();
  await stage.read("good");
  const third = stage.ask();
  stage.ready(stage.ids("booting")[0] as number);
  await stage.read("good");
  assert.equal(stage.pool.desired.candidate?.generation, 2, "the proven candidate was dropped");
  for (const id of stage.ids("draining")) stage.gone(id);
  for (const id of stage.ids("booting")) stage.ready(id);
  assert.equal(stage.heard(second), "generation 2 serves with 2 workers");
  for (const id of stage.ids("draining")) stage.gone(id);
  assert.equal(stage.pool.desired.candidate?.generation, 3);
  stage.failed(stage.ids("booting", 3)[0] as number);
  assert.equal(stage.heard(third), "generation 3 is broken; generation 2 continues to serve");
  assert.equal(stage.pool.desired.established, 2);
});

test("a client waiting for a candidate does not get the error of a later configuration", async () => {
  const stage = new Stage(1, 1);
  const second = stage.ask();
  await stage.read("good");
  const third = stage.ask();
  await stage.read("broken");
  assert.equal(stage.heard(third), `reading ${third} failed; generation 1 continues to serve`);
  assert.equal(stage.heard(second), "");
  stage.ready(stage.ids("booting")[0] as number);
  assert.equal(stage.heard(second), "generation 2 serves with 1 worker");
});

/** A random event. */
async function happen(stage: Stage, random: (below: number) => number): Promise<string> {
  const workers = stage.pool.roster;
  const worker = workers[random(Math.max(1, workers.length))];
  const events: [name: string, act: () => unknown][] = [
    ["reload", () => stage.ask()],
    ["time passes", () => (stage.now += random(5) * 400)],
    ["scale", () => stage.pool.scale(1 + random(4))],
  ];
  if (stage.reading !== undefined) {
    const good = (): unknown => stage.read("good", 1 + random(4));
    events.push(["read", good], ["read", good], ["unreadable", () => stage.read("broken")]);
  }
  if (worker !== undefined) {
    const { id, state } = worker;
    events.push([`worker ${id} ends`, () => stage.gone(id)]);
    if (state === "draining") events.push([`worker ${id} ends`, () => stage.gone(id)]);
    if (state === "booting") {
      const ready = (): void => stage.ready(id);
      events.push([`worker ${id} is ready`, ready], [`worker ${id} is ready`, ready]);
      events.push([`worker ${id} fails`, () => stage.failed(id)]);
    }
  }
  const [name, act] = events[random(events.length)] as (typeof events)[number];
  await act();
  stage.settle();
  return name;
}

/** From now on every worker boots and stops. */
async function calmDown(stage: Stage): Promise<void> {
  for (let round = 0; round < 200; round++) {
    stage.now += 500;
    if (stage.reading !== undefined) await stage.read("good");
    for (const id of stage.ids("draining")) stage.gone(id);
    for (const id of stage.ids("booting")) stage.ready(id);
    stage.settle();
  }
}

/** Checks that each request was settled with the outcome of a generation, or a read, that it went into. */
function checkOutcomes(stage: Stage): void {
  for (const request of stage.outcomes.keys()) {
    const heard = stage.heard(request);
    const reading = /^reading (\d+) failed/.exec(heard);
    const generation = /^generation (\d+) (?:is broken|serves)/.exec(heard);
    const unexplained = heard.startsWith("a worker was killed by SIGKILL");
    assert.ok(
      reading !== null || generation !== null || unexplained,
      `request ${request} was told: "${heard}"`,
    );
    if (reading !== null) assert.ok(Number(reading[1]) >= request, `request ${request} was told: ${heard}`);
    if (generation === null) continue;
    assert.ok(stage.requestOf(Number(generation[1])) >= request, `request ${request} was told: ${heard}`);
  }
}

test("random overlapping reloads lose no generation, settle every request, and the newest wins", async () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = randomNumbers(seed);
    const story: string[] = [];
    try {
      const stage = new Stage(1 + random(3), 1 + random(2));
      for (let step = 0; step < 80; step++) {
        const { candidate, established } = stage.pool.desired;
        stage.ended.length = 0;
        story.push(await happen(stage, random));
        const next = stage.pool.desired;
        assert.ok(
          next.established >= established,
          "the server fell back to a generation before the established one",
        );
        if (candidate?.proven !== true || next.candidate?.generation === candidate.generation) continue;
        const ends = [`established ${candidate.generation}`, `abandoned ${candidate.generation}`];
        assert.ok(
          ends.includes(stage.ended[0] ?? ""),
          `proven generation ${candidate.generation} was displaced`,
        );
      }
      await calmDown(stage);
      const { desired } = stage.pool;
      assert.equal(desired.candidate, undefined);
      checkOutcomes(stage);
      const newest = [...stage.outcomes].at(-1);
      if (newest?.[1][0]?.ok === true) assert.equal(stage.requestOf(desired.established), newest[0]);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}\n${story.slice(-25).join("\n")}`, {
        cause: error,
      });
    }
  }
});

test("a stop settles the clients that wait for a reload", async () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = randomNumbers(seed);
    const stage = new Stage(1 + random(3), 1);
    for (let step = 0; step < random(40); step++) await happen(stage, random);
    stage.ask();
    stage.pool.stopGracefully();
    stage.settle();
    const { generation } = stage.pool.desired.candidate ?? { generation: 0 };
    if (stage.reading !== undefined) await stage.read("good");
    assert.equal(stage.pool.desired.candidate?.generation ?? 0, generation, "a reload begins while it stops");
    for (const request of stage.outcomes.keys())
      assert.notEqual(stage.heard(request), "", `seed ${seed}: request ${request}`);
  }
});
