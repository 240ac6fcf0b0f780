/**
 * The automatic upgrade in the old arbiter: the real Upgrade, Reload, Pool and ControlCommands, with simulated processes.
 * After any sequence of events exactly one arbiter serves, and no requested reload is lost.
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
import { Pool } from "../../../src/arbiter/pool/pool.ts";
import { Generations } from "../../../src/arbiter/reload/generations.ts";
import { Reload } from "../../../src/arbiter/reload/reload.ts";
import type { SuccessorEvent } from "../../../src/arbiter/upgrade/handover.ts";
import { type NewArbiter, Upgrade } from "../../../src/arbiter/upgrade/upgrade.ts";
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

/** A simulated new arbiter: alive until it is ended, or ends by chance. */
class PaperArbiter implements NewArbiter {
  /** No process has this pid, so that none is found in /proc. */
  readonly pid = 2 ** 30;
  isReady = false;
  hasEnded = false;
  /** The newest requested reload that it knows of, from its start or a signal. */
  knownReload: number;
  readonly exited = Promise.resolve();
  readonly #stage: SimulatedArbiter;

  constructor(stage: SimulatedArbiter) {
    this.#stage = stage;
    this.knownReload = stage.requestedReloads;
  }

  signal(signal: NodeJS.Signals): boolean {
    assert.ok(this.isReady, `${signal} is sent to an arbiter that may not listen yet`);
    if (this.hasEnded) return false;
    if (signal === "SIGHUP") this.knownReload = this.#stage.requestedReloads;
    return true;
  }

  leave(): void {}
  release(): void {}

  end(): void {
    this.goes();
  }

  goes(): void {
    this.hasEnded = true;
    this.#stage.successorEvents.push({ type: "gone", why: "it ended" });
  }
}

class SimulatedArbiter {
  now = 1000;
  /** Number of requested reloads. */
  requestedReloads = 0;
  readonly outcomes: Outcome[][] = [];
  successor: PaperArbiter | undefined;
  readonly successorEvents: SuccessorEvent[] = [];
  /** The newest requested reload that this arbiter's generations have read. */
  knownReload = 0;
  readonly pool: Pool;
  readonly reload: Reload;
  readonly upgrade: Upgrade;
  readonly commands: ControlCommands;
  readonly #generations = new Generations(this.#configuration(), "/nowhere");
  readonly #read: ReloadEvent[] = [];
  readonly #steps: (() => void)[] = [];

  constructor(workers: number) {
    const log = new Proxy({}, { get: () => () => {} }) as ErrorLog;
    const generations = this.#generations;
    const pool = new Pool(
      firstBoot(workers, 1, LIMITS),
      {
        spawn: () => assert.ok(!this.upgrade?.isLeaving, "an arbiter that leaves starts a worker"),
        ...{ order: () => {}, kill: () => {}, overdue: () => {}, bootFailed: () => {}, unstarted: () => {} },
        substitute: () => undefined,
        established: (generation) => {
          this.knownReload = Number(generations.configOf(generation).env?.RELOAD);
          this.reload?.established(generation);
        },
        abandoned: (failure, established) => {
          this.knownReload = this.requestedReloads;
          this.reload.abandoned(failure, established);
        },
        limits: () => LIMITS,
      },
      () => this.now,
    );
    this.pool = pool;
    this.upgrade = new Upgrade({
      ...{ pool, log, report: () => {}, invocation: { program: "", args: [], folder: "" } },
      listeners: () => [],
      config: () => ({ bootTimeout: 60_000, upgradeMode: "auto" }),
      predecessorPid: () => undefined,
      start: () => {
        assert.ok(this.successor === undefined || this.successor.hasEnded, "two new arbiters at once");
        this.successor = new PaperArbiter(this);
        return this.successor;
      },
      beforeStart: () => new Promise((resolve) => this.#steps.push(resolve)),
      cleanUpAfterSuccessor: () => {},
      withdrawReloads: (why) => this.reload.withdraw(why),
      reload: () => this.reload.request(),
      stats: paperStats(() => pool),
      ...{ endpoints: () => ({}), endpointsTakenOver: async () => {}, reclaimEndpoints: () => {} },
    });
    this.commands = new ControlCommands({
      ...{
        pool,
        generations,
        minReady: 1,
        isSuccessorReady: () => false,
        tooManyWorkers: () => undefined,
        examinations: () => Promise.reject(new Error("not used")),
        addressOf: () => undefined,
        lostSockets: () => [],
      },
      post: (command) => this.commands.handle(command),
      pidOf: (id) => id,
      reload: () => this.hangUp(),
      upgrade: () => this.upgrade.begin(),
      reopen: () => ({ ok: true, message: "" }),
      stop: () => pool.stopGracefully(),
      leavingFor: () => (this.upgrade.isLeaving ? this.upgrade.successorPid : undefined),
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
      ...{ pool, generations, commands: this.commands, arbiterLog: new ArbiterLog(log, new ServerEvents()) },
      stats: paperStats(() => pool),
      logs: { errors: log, prepare: () => {}, adopt: () => {} } as unknown as Logs,
      readConfiguration: async () => this.#configuration(),
      preflight: () => Promise.resolve(),
      rebindSockets: () => Promise.resolve(),
      sockets: { begun: () => {}, withdrawn: () => {}, established: () => {}, abandoned: () => {} },
      post: (event) => this.#read.push(event),
    });
    pool.settle();
    for (const { id } of pool.roster) pool.workerReady(id);
    this.turn();
  }

  #configuration(): Configuration {
    const values = { env: { RELOAD: String(this.requestedReloads) }, workers: 2 };
    return { config: makeConfig([{ values, origin: () => "a test" }]), hooks: {} };
  }

  /** One turn of the arbiter's loop. */
  turn(): void {
    for (const event of this.#read.splice(0)) this.reload.handle(event);
    for (const event of this.successorEvents.splice(0)) this.upgrade.handle(event);
    this.upgrade.advance();
    this.pool.settle();
    this.commands.checkPending();
  }

  /** Handles SIGHUP as the arbiter does. */
  hangUp(): void {
    if (!this.upgrade.forwardReload()) this.reload.request();
  }

  /** Requests a reload, by a signal or by `ctl`. */
  ask(bySignal: boolean): void {
    const heard: Outcome[] = [];
    const refused = !bySignal && this.upgrade.isLeaving && this.upgrade.successorPid !== undefined;
    if (!refused) this.requestedReloads += 1;
    if (bySignal) this.hangUp();
    else {
      this.outcomes.push(heard);
      this.commands.handle({ name: "reload", settle: (outcome) => heard.push(outcome) });
    }
  }

  prepared(): void {
    for (const step of this.#steps.splice(0)) step();
  }

  serves(): void {
    if (this.successor?.isReady !== false || this.successor.hasEnded) return;
    this.successor.isReady = true;
    this.successorEvents.push({ type: "ready" });
  }
}

/** Runs one event, chosen at random. */
function happen(stage: SimulatedArbiter, random: (below: number) => number): string {
  const { pool, successor } = stage;
  const worker = pool.roster[random(Math.max(1, pool.roster.length))];
  const events: [name: string, act: () => unknown][] = [
    ["HUP", () => stage.ask(true)],
    ["ctl reload", () => stage.ask(false)],
    ["ctl scale", () => stage.commands.handle({ name: "scale", workers: 1 + random(3), settle: () => {} })],
    ["USR2", () => void stage.upgrade.begin()],
    ["the upgrade is prepared", () => stage.prepared()],
    ["time passes", () => (stage.now += 400)],
  ];
  if (successor !== undefined && !successor.hasEnded) {
    events.push(["the new one serves", () => stage.serves()], ["the new one dies", () => successor.goes()]);
  }
  if (worker !== undefined) {
    const { id, state } = worker;
    events.push([`worker ${id} ends`, () => pool.workerGone(id, "was killed")]);
    if (state === "booting") events.push([`worker ${id} is ready`, () => pool.workerReady(id)]);
  }
  const [name, act] = events[random(events.length)] as (typeof events)[number];
  act();
  return name;
}

/** Runs without further failures until the old arbiter has exited or serves. */
async function calmDown(stage: SimulatedArbiter): Promise<void> {
  for (let round = 0; round < 100 && stage.pool.exitCode === undefined; round++) {
    stage.now += 500;
    stage.prepared();
    stage.serves();
    for (const { id, state } of stage.pool.roster) {
      if (state === "draining") stage.pool.workerGone(id, "exited with code 0");
      if (state === "booting") stage.pool.workerReady(id);
    }
    await nextTurn();
    stage.turn();
  }
}

/** Lets settled promises run their callbacks. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test("after any sequence of events in an upgrade one arbiter is left, with the newest requested reload", async () => {
  const left = { old: 0, next: 0 };
  for (let seed = 1; seed <= 150; seed++) {
    const random = randomNumbers(seed);
    const story: string[] = [];
    try {
      const stage = new SimulatedArbiter(1 + random(3));
      for (let step = 0; step < 40 && stage.pool.exitCode === undefined; step++) {
        story.push(happen(stage, random));
        await nextTurn();
        stage.turn();
        if (stage.upgrade.isLeaving) assert.equal(stage.pool.desired.target, 0);
      }
      await calmDown(stage);
      const { successor, requestedReloads } = stage;
      const isFollowed = successor !== undefined && !successor.hasEnded;
      assert.equal(stage.pool.exitCode === undefined, !isFollowed, "two arbiters are left, or none");
      left[isFollowed ? "next" : "old"] += 1;
      assert.equal(
        isFollowed ? successor.knownReload : stage.knownReload,
        requestedReloads,
        "a reload was lost",
      );
      for (const [index, heard] of stage.outcomes.entries())
        assert.equal(heard.length, 1, `who asked for reload ${index} was answered ${heard.length} times`);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}\n${story.join("\n")}`, { cause: error });
    }
  }
  assert.ok(left.old > 0 && left.next > 0, JSON.stringify(left));
});
