/** The pool as data: single scenarios, and random sequences of all events. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { firstBoot } from "../../../src/arbiter/pool/desired.ts";
import type { Limits } from "../../../src/arbiter/pool/limits.ts";
import { Pool, type PoolEffects } from "../../../src/arbiter/pool/pool.ts";
import { canReload } from "../../../src/arbiter/pool/rollout.ts";
import { activeWorkers, readyWorkers } from "../../../src/arbiter/pool/roster.ts";
import { heldUntil } from "../../../src/arbiter/pool/spawn-holds.ts";
import { MAX_WORKERS } from "../../../src/config/settings.ts";
import { QUIT_TIMEOUT_MS } from "../../../src/config/stop-time.ts";
import { ExitCode } from "../../../src/errors.ts";
import { randomNumbers } from "../../support/random.ts";

const LIMITS: Limits = { boot: 60_000, graceful: 30_000, silence: 20_000, crashes: undefined };

/** Heartbeat interval of a worker on paper, unless it is silent. */
const BEAT = 5000;

/** A pool without processes, with a clock that the test moves. */
class PaperPool {
  now = 1000;
  generation = 1;
  readonly told: string[] = [];
  /** Workers whose event loop is blocked. */
  readonly silent = new Set<number>();
  readonly pool: Pool;
  readonly surge: number;
  /** Workers that were told to quit. */
  readonly #quits = new Set<number>();

  constructor(target: number, surge = 1, limits: Limits = LIMITS) {
    this.surge = surge;
    this.pool = new Pool(firstBoot(target, surge, limits), this.#effects(), () => this.now);
    this.settle();
  }

  /** Records each action, and checks the invariants at that moment. */
  #effects(): PoolEffects {
    return {
      spawn: (id, slot, generation) => {
        this.told.push(`spawn ${id} in ${slot} of ${generation}`);
        const active = activeWorkers(this.pool.roster).length;
        const most = this.pool.desired.target + this.surge;
        assert.ok(active <= most, `${active} workers serve or boot, at most ${most} may`);
        const replaces = activeWorkers(this.pool.roster).some(
          (other) => other.slot === slot && other.id !== id,
        );
        const living = this.pool.roster.length;
        assert.ok(
          !replaces || living <= most,
          `${living} workers live during a replacement, at most ${most} may`,
        );
      },
      order: (id, order) => {
        this.told.push(`${order} ${id}`);
        if (order === "quit") this.#quits.add(id);
        if (order !== "drain" || this.pool.desired.stop !== undefined) return;
        const ready = readyWorkers(this.pool.roster).length;
        const { target } = this.pool.desired;
        assert.ok(ready >= target, `only ${ready} workers are left ready, ${target} are wanted`);
      },
      kill: (id, why) => {
        this.told.push(`kill ${id}: ${why}`);
        if (why === "silence") assert.ok(this.silent.has(id), `worker ${id} had given signs of life`);
        const { failure } = this.pool.find(id) ?? {};
        if (why === "stop-timeout" && failure === undefined)
          assert.ok(this.#quits.has(id), `worker ${id} had no chance to shut its app down`);
      },
      overdue: (id) => this.told.push(`overdue ${id}`),
      bootFailed: (id) => this.told.push(`failed ${id}`),
      unstarted: (failure) => this.told.push(`unstarted: ${failure.message}`),
      established: (generation) => this.told.push(`established ${generation}`),
      substitute: () => undefined,
      abandoned: (failure, established) => this.told.push(`abandoned for ${established}: ${failure.message}`),
      limits: () => LIMITS,
    };
  }

  settle(): number | undefined {
    return this.pool.settle();
  }

  /** The actions since the last call. */
  news(): string[] {
    return this.told.splice(0);
  }

  ids(state: string): number[] {
    return this.pool.roster.filter((worker) => worker.state === state).map((worker) => worker.id);
  }

  ready(...ids: number[]): void {
    for (const id of ids) this.pool.workerReady(id);
    this.settle();
  }

  gone(id: number, how = "was killed by SIGKILL"): void {
    this.pool.workerGone(id, how);
    this.settle();
  }

  failed(id: number, message = "no such module"): void {
    this.pool.workerFailed(id, { kind: "load", message });
    this.settle();
  }

  signalled(...ids: number[]): void {
    for (const id of ids) this.pool.workerSignalled(id);
    this.settle();
  }

  unstarted(id: number): void {
    this.pool.workerUnstarted(id, { kind: "startup", message: "no room" });
    this.settle();
  }

  reload(target = this.pool.desired.target): void {
    if (!canReload(this.pool.desired)) {
      this.pool.reloadAgain(true);
      return;
    }
    this.pool.reloadAgain(false);
    this.generation += 1;
    this.pool.reload(this.generation, target);
    this.settle();
  }

  pass(ms: number): void {
    const end = this.now + ms;
    do {
      this.now = Math.min(end, this.now + BEAT);
      for (const { id, state } of this.pool.roster) {
        const beats = state !== "booting" && !this.silent.has(id);
        if (beats) this.pool.workerBeat(id, { connections: 0, requests: 0, debugged: false });
      }
      this.settle();
    } while (this.now < end);
  }
}

function booted(target: number, surge = 1, limits: Limits = LIMITS): PaperPool {
  const paper = new PaperPool(target, surge, limits);
  paper.ready(...paper.ids("booting"));
  assert.equal(paper.pool.desired.established, 1);
  paper.news();
  return paper;
}

describe("first boot", () => {
  test("spawns all workers, and is established when all are ready", () => {
    const paper = new PaperPool(3);
    assert.deepEqual(paper.news(), ["spawn 1 in 1 of 1", "spawn 2 in 2 of 1", "spawn 3 in 3 of 1"]);
    paper.ready(1, 2);
    assert.deepEqual(paper.news(), []);
    paper.ready(3);
    assert.deepEqual(paper.news(), ["established 1"]);
  });

  test("an app that cannot be loaded stops the server with exit code 4 and the reason, without a respawn", () => {
    const paper = new PaperPool(2);
    paper.news();
    paper.failed(1, "no such module");
    paper.failed(2, "no such module");
    assert.deepEqual(paper.news(), ["abandoned for 0: no such module", "quit 2"]);
    paper.gone(1);
    paper.gone(2);
    assert.equal(paper.pool.exitCode, ExitCode.appLoad);
    assert.equal(paper.pool.desired.stop?.reason, "no such module");
  });

  test("a worker that dies without a report is respawned once, then the server stops with exit code 3", () => {
    const paper = new PaperPool(1);
    paper.gone(1, "exited with code 0");
    assert.deepEqual(paper.news(), ["spawn 1 in 1 of 1", "spawn 2 in 1 of 1"]);
    paper.gone(2, "exited with code 0");
    assert.equal(paper.pool.exitCode, ExitCode.workerBoot);
    assert.equal(paper.pool.desired.stop?.reason, "a worker exited with code 0 before it was ready");
  });

  test("a worker that is not ready within the boot timeout is killed, and the server stops", () => {
    const paper = new PaperPool(1);
    paper.news();
    paper.pass(59_999);
    assert.deepEqual(paper.news(), []);
    paper.pass(1);
    assert.deepEqual(paper.news(), [
      "kill 1: boot-timeout",
      "abandoned for 0: a worker was not ready within 60s: it has not begun to load the app",
    ]);
    paper.gone(1);
    assert.equal(paper.pool.exitCode, ExitCode.workerBoot);
  });
});

describe("workers stopped by a foreign signal", () => {
  test("are not replaced if the server is stopped at the same moment", () => {
    for (const stop of ["stopGracefully", "stopQuickly"] as const) {
      const paper = booted(2);
      paper.signalled(1, 2);
      paper.pass(200);
      paper.gone(1, "exited with code 0");
      assert.deepEqual(paper.news(), []);
      paper.pool[stop]();
      paper.settle();
      paper.gone(2, "exited with code 0");
      assert.deepEqual(
        paper.news().filter((line) => line.startsWith("spawn")),
        [],
      );
      assert.equal(paper.pool.exitCode, ExitCode.ok);
    }
  });

  test("are replaced a moment later if it is not", () => {
    const paper = booted(2);
    paper.signalled(1);
    paper.pass(249);
    assert.deepEqual(paper.news(), []);
    paper.pass(1);
    assert.deepEqual(paper.news(), ["spawn 3 in 1 of 1"]);
  });

  test("do not fail the first boot before the server's own signal can arrive", () => {
    const paper = new PaperPool(4);
    paper.signalled(1, 2, 3, 4);
    for (const id of [1, 2, 3, 4]) paper.gone(id, "exited with code 0");
    paper.news();
    paper.pass(200);
    assert.deepEqual(paper.news(), []);
    paper.pool.stopGracefully();
    paper.settle();
    assert.equal(paper.pool.exitCode, ExitCode.ok);
    assert.equal(paper.pool.desired.stop?.reason, undefined);
  });

  test("fail the first boot if they are stopped each time", () => {
    const paper = new PaperPool(1);
    paper.signalled(1);
    paper.gone(1, "exited with code 0");
    paper.pass(250);
    paper.signalled(2);
    paper.gone(2, "exited with code 0");
    paper.pass(250);
    assert.equal(paper.pool.exitCode, ExitCode.workerBoot);
    assert.equal(paper.pool.desired.stop?.reason, "a worker was stopped by a signal before it was ready");
  });

  test("end the drain delay, because no worker is left to serve", () => {
    for (const first of ["worker", "server"]) {
      const paper = booted(1);
      if (first === "worker") paper.signalled(1);
      paper.pool.stopGracefully(5000);
      if (first === "server") paper.signalled(1);
      paper.gone(1, "exited with code 0");
      assert.equal(paper.pool.exitCode, ExitCode.ok);
    }
  });
});

describe("processes that cannot be started", () => {
  test("are retried every second in the serving generation, which counts as no crash", () => {
    const paper = booted(2);
    paper.gone(2);
    paper.news();
    for (let time = 0; time < 5; time++) {
      paper.unstarted(3 + time);
      assert.deepEqual(paper.news(), ["unstarted: no room"]);
      paper.pass(900);
      assert.deepEqual(paper.news(), []);
      paper.pass(100);
      assert.deepEqual(paper.news(), [`spawn ${4 + time} in 2 of 1`]);
    }
    paper.ready(8);
    assert.equal(paper.pool.desired.crashRounds, 1);
  });

  test("fail a reload at once, with the reason", () => {
    const paper = booted(2);
    paper.reload();
    paper.news();
    paper.unstarted(3);
    assert.deepEqual(paper.news(), ["abandoned for 1: no room"]);
    assert.deepEqual(paper.ids("ready"), [1, 2]);
  });

  test("fail the first boot while no worker is ready", () => {
    const paper = new PaperPool(2);
    paper.unstarted(1);
    paper.unstarted(2);
    assert.equal(paper.pool.exitCode, ExitCode.workerBoot);
    assert.equal(paper.pool.desired.stop?.reason, "no room");
  });

  test("do not fail a first boot that already serves", () => {
    const paper = new PaperPool(2);
    paper.ready(1);
    paper.unstarted(2);
    assert.equal(paper.pool.desired.stop, undefined);
    paper.pass(1000);
    paper.ready(3);
    assert.equal(paper.pool.desired.established, 1);
  });
});

describe("crashes", () => {
  test("a crashed worker is replaced at once, in its slot", () => {
    const paper = booted(2);
    paper.gone(2);
    assert.deepEqual(paper.news(), ["spawn 3 in 2 of 1"]);
  });

  test("a sound worker is replaced at once, however often it is killed", () => {
    const paper = booted(1);
    for (let id = 1; id <= 20; id++) {
      paper.pass(1000);
      paper.news();
      paper.gone(id);
      assert.deepEqual(paper.news(), [`spawn ${id + 1} in 1 of 1`]);
      paper.ready(id + 1);
    }
    assert.equal(paper.pool.desired.crashRounds, 0);
  });

  test("while no worker is ready, one is started at once after every crash", () => {
    const paper = booted(3);
    for (let round = 0; round < 20; round++) {
      for (const id of paper.ids("ready")) paper.gone(id);
      assert.notDeepEqual(paper.ids("booting"), [], `nobody serves or boots in round ${round}`);
      paper.pass(200);
      paper.ready(paper.ids("booting")[0] as number);
    }
    // The others wait, so that the work of crash after crash is that of one boot at a time.
    for (const id of [...paper.ids("ready"), ...paper.ids("booting")]) paper.gone(id);
    assert.equal(paper.pool.roster.length, 1);
    assert.ok(paper.pool.desired.respawnsLimitedUntil - paper.now <= 1000);
    paper.ready(...paper.ids("booting"));
    paper.pass(1000);
    assert.equal(paper.pool.roster.length, 3);
  });

  test("while others serve, a replacement starts within a second after every crash", () => {
    const paper = booted(2);
    const waits: number[] = [];
    for (let round = 0; round < 8; round++) {
      const last = paper.pool.roster.find(({ slot }) => slot === 2)?.id as number;
      paper.pool.workerGone(last, "exited with code 1");
      const wakeAt = paper.settle() as number;
      waits.push(paper.pool.roster.length === 2 ? 0 : wakeAt - paper.now);
      paper.pass(waits.at(-1) as number);
      assert.equal(paper.pool.roster.length, 2);
      paper.ready(...paper.ids("booting"));
    }
    assert.deepEqual(waits, [0, 0, 0, 250, 500, 1000, 1000, 1000]);
    paper.pass(1000);
    paper.gone(paper.pool.roster.find(({ slot }) => slot === 2)?.id as number);
    assert.equal(paper.pool.roster.length, 2, "the next one was not spawned at once");
    assert.equal(paper.pool.desired.crashRounds, 0);
  });

  test("if workers cannot boot, one tries at least every two seconds; once it is ready all start", () => {
    const paper = booted(4);
    paper.pass(500);
    for (const id of [1, 2, 3, 4]) paper.gone(id);
    const waits: number[] = [];
    for (let round = 0; round < 8; round++) {
      paper.pass(50);
      for (const id of paper.ids("booting")) paper.gone(id, "exited with code 1");
      const booting = paper.ids("booting").length;
      waits.push(booting > 0 ? 0 : paper.pool.desired.respawnsLimitedUntil - paper.now);
      paper.pass(waits.at(-1) as number);
      assert.equal(paper.ids("booting").length, round < 2 ? 4 : 1, `in round ${round}`);
    }
    assert.deepEqual(waits, [0, 0, 250, 500, 1000, 2000, 2000, 2000]);
    paper.pass(10_000);
    assert.equal(paper.pool.roster.length, 1, "a second one tries what the first one may not be able to");
    paper.ready(...paper.ids("booting"));
    assert.equal(paper.pool.roster.length, 4);
  });

  test("workers that cannot boot while others serve are tried one at a time", () => {
    const paper = booted(4);
    for (let round = 0; round < 6; round++) {
      paper.pass(Math.max(0, paper.pool.desired.respawnsLimitedUntil - paper.now));
      for (const slot of [3, 4]) {
        const worker = paper.pool.roster.find((other) => other.slot === slot);
        if (worker !== undefined) paper.gone(worker.id, "exited with code 1");
      }
    }
    paper.pass(2000);
    assert.equal(paper.ids("booting").length, 1);
    paper.ready(...paper.ids("booting"));
    assert.equal(paper.pool.roster.length, 4);
  });

  test("a sound worker that dies is not replaced before the wait that crashes of others caused", () => {
    const paper = booted(3);
    paper.pass(1000);
    for (let round = 0; round < 5; round++) {
      paper.gone(paper.pool.roster.find(({ slot }) => slot === 2)?.id as number);
      paper.ready(...paper.ids("booting"));
    }
    const wait = paper.pool.desired.respawnsLimitedUntil - paper.now;
    assert.ok(wait > 0);
    paper.gone(1);
    assert.deepEqual(paper.ids("ready"), [3]);
    assert.deepEqual(paper.ids("booting"), []);
    paper.pass(wait);
    assert.equal(paper.pool.roster.length, 3);
  });

  test("crashes of workers that were ready do not end an incomplete first boot", () => {
    const paper = new PaperPool(2);
    for (let round = 0; round < 6; round++) {
      const [first] = paper.ids("booting");
      paper.ready(first as number);
      paper.gone(first as number, "exited with code 1");
    }
    assert.equal(paper.pool.desired.stop, undefined);
    paper.pass(1000);
    paper.ready(...paper.ids("booting"));
    assert.equal(paper.pool.desired.established, 1);
  });

  test("a crash long after a series starts a new one", () => {
    const paper = booted(1);
    while (paper.pool.desired.crashRounds < 6) {
      paper.pass(Math.max(0, paper.pool.desired.respawnsLimitedUntil - paper.now));
      paper.gone(paper.pool.roster[0]?.id as number);
    }
    paper.pass(paper.pool.desired.respawnsLimitedUntil - paper.now);
    paper.ready(...paper.ids("booting"));
    paper.pass(60_000);
    paper.pool.scale(2);
    paper.settle();
    const [added] = paper.ids("booting");
    paper.gone(added as number);
    assert.equal(paper.pool.desired.crashRounds, 1);
    assert.equal(paper.pool.roster.length, 2, "its successor was not spawned at once");
  });

  test("workers that crash together are one round", () => {
    const paper = booted(4);
    paper.pass(900);
    for (const id of [1, 2, 3, 4]) paper.gone(id);
    assert.equal(paper.pool.desired.crashRounds, 1);
    assert.deepEqual(paper.ids("booting"), [5, 6, 7, 8]);
    paper.pass(1000);
    paper.ready(5, 6, 7, 8);
    for (const id of [5, 6, 7, 8]) paper.gone(id);
    assert.equal(paper.pool.desired.crashRounds, 2);
  });

  test("the crash limit stops the server with exit code 3, gracefully", () => {
    const paper = booted(2, 1, { ...LIMITS, crashes: { deaths: 3, within: 10_000 } });
    paper.gone(1);
    paper.pass(10_000);
    paper.ready(3);
    for (const id of [3, 4]) {
      paper.gone(id);
      paper.ready(...paper.ids("booting"));
    }
    assert.equal(paper.pool.desired.stop, undefined, "the first was too long ago");
    paper.news();
    paper.gone(5);
    assert.deepEqual(paper.news(), ["drain 2"]);
    paper.gone(2);
    assert.equal(paper.pool.exitCode, ExitCode.workerBoot);
    const { desired } = paper.pool;
    assert.match(desired.stop?.reason ?? "", /^3 workers have died within 10s/);
  });

  test("a replacement that cannot boot does not end a server that has served", () => {
    const paper = booted(2);
    paper.gone(2);
    paper.failed(3, "broken meanwhile");
    assert.deepEqual(paper.news(), ["spawn 3 in 2 of 1", "failed 3", "spawn 4 in 2 of 1"]);
    assert.equal(paper.pool.desired.stop, undefined);
  });
});

describe("silence", () => {
  test("a worker that sends no heartbeat for too long is killed and replaced", () => {
    const paper = booted(2, 1, { ...LIMITS, crashes: { deaths: 9, within: 60_000 } });
    paper.silent.add(2);
    paper.pass(19_999);
    assert.deepEqual(paper.news(), []);
    paper.pass(1);
    assert.deepEqual(paper.news(), ["kill 2: silence", "spawn 3 in 2 of 1"]);
    assert.equal(paper.pool.desired.deathTimes.length, 1);
    paper.gone(2);
    assert.equal(paper.pool.desired.deathTimes.length, 1, "its end is no second death");
  });

  test("a booting worker may be silent, and one with a debugger", () => {
    const paper = new PaperPool(1);
    paper.silent.add(1);
    paper.pass(50_000);
    paper.ready(1);
    paper.pool.workerBeat(1, { connections: 0, requests: 0, debugged: true });
    paper.pass(60_000);
    assert.deepEqual(paper.news(), ["spawn 1 in 1 of 1", "established 1"]);
  });

  test("a silent draining worker is killed before its graceful timeout", () => {
    const paper = booted(1);
    paper.pass(60_000);
    paper.silent.add(1);
    paper.pool.stopGracefully();
    paper.pass(20_000);
    assert.deepEqual(paper.news(), ["drain 1", "kill 1: silence"]);
  });

  test("a new generation whose workers block is abandoned", () => {
    const paper = booted(2);
    paper.reload();
    paper.ready(3);
    paper.gone(1, "exited with code 0");
    paper.silent.add(3);
    paper.pass(20_000);
    paper.ready(5);
    paper.silent.add(5);
    paper.pass(20_000);
    assert.match(paper.news().join("\n"), /abandoned for 1: a worker was stuck soon after it was ready/);
  });
});

describe("scaling", () => {
  test("one more takes the next slot, one fewer drains the highest", () => {
    const paper = booted(1);
    paper.pool.scale(2);
    paper.settle();
    assert.deepEqual(paper.news(), ["spawn 2 in 2 of 1"]);
    paper.ready(2);
    paper.pool.scale(1);
    paper.settle();
    assert.deepEqual(paper.news(), ["drain 2"]);
  });

  test("the target is limited to the maximum, and workers start a few at a time", () => {
    const paper = booted(1);
    paper.pool.scale(1e300);
    assert.equal(paper.pool.desired.target, MAX_WORKERS);
    const wakeAt = paper.settle();
    const started = paper.news().length;
    assert.ok(started > 0 && started < 20, `${started} processes were started in one go`);
    assert.equal(wakeAt, paper.now, "the rest follow at once, behind what has happened meanwhile");
    while (paper.settle() === paper.now);
    assert.equal(paper.pool.roster.length, MAX_WORKERS);
    assert.equal(paper.ids("booting").length, MAX_WORKERS - 1);
  });

  test("scales to zero and up again", () => {
    const paper = booted(2);
    paper.pool.scale(0);
    paper.settle();
    assert.deepEqual(paper.news(), ["drain 2", "drain 1"]);
    paper.pool.scale(1);
    paper.settle();
    assert.deepEqual(paper.news(), ["spawn 3 in 1 of 1"]);
  });
});

describe("reload", () => {
  test("replaces one worker after the other, each by a ready one", () => {
    const paper = booted(2);
    paper.reload();
    assert.deepEqual(paper.news(), ["spawn 3 in 1 of 2"]);
    paper.ready(3);
    assert.deepEqual(paper.news(), ["drain 1"]);
    paper.gone(1);
    assert.deepEqual(paper.news(), ["spawn 4 in 2 of 2"]);
    paper.ready(4);
    assert.deepEqual(paper.news(), ["drain 2", "established 2"]);
  });

  test("an app that cannot be loaded leaves the old workers alone", () => {
    const paper = booted(2);
    paper.reload();
    paper.failed(3, "no such module");
    assert.deepEqual(paper.news(), ["spawn 3 in 1 of 2", "abandoned for 1: no such module"]);
    paper.gone(3);
    assert.deepEqual(paper.ids("ready"), [1, 2]);
    assert.deepEqual(paper.news(), []);
  });

  test("a worker that hangs in its boot is killed at the boot timeout, and nothing else happens", () => {
    const paper = booted(1);
    paper.reload();
    paper.pass(60_000);
    paper.gone(2);
    assert.deepEqual(paper.news(), [
      "spawn 2 in 1 of 2",
      "kill 2: boot-timeout",
      "abandoned for 1: a worker was not ready within 60s: it has not begun to load the app",
    ]);
    assert.deepEqual(paper.ids("ready"), [1]);
  });

  test("the target changes when the candidate is proven, and is restored with the old generation", () => {
    const paper = booted(2);
    paper.reload(4);
    assert.deepEqual(paper.news(), ["spawn 3 in 1 of 2"]);
    paper.failed(3);
    paper.gone(3);
    assert.equal(paper.pool.desired.target, 2);
    assert.deepEqual(paper.ids("ready"), [1, 2]);
    assert.deepEqual(paper.news(), ["abandoned for 1: no such module"]);
    paper.reload(4);
    paper.ready(4);
    assert.equal(paper.pool.desired.target, 4);
    assert.deepEqual(paper.ids("booting"), [5, 6]);
    paper.failed(5);
    assert.equal(paper.pool.desired.target, 2);
    for (const id of [5, 6]) paper.gone(id);
    for (const id of paper.ids("draining")) paper.gone(id);
    assert.deepEqual(paper.ids("ready"), [1, 2]);
    assert.equal(paper.pool.roster.length, 2);
  });

  test("a target set during a reload holds however the reload ends", () => {
    for (const fails of [true, false]) {
      const paper = booted(2);
      paper.reload(4);
      paper.pool.scale(3);
      paper.settle();
      if (fails) paper.failed(3);
      else paper.ready(3);
      assert.equal(paper.pool.desired.target, 3);
    }
  });

  test("with no workers, one tries the candidate first, and stops if the candidate fails", () => {
    const paper = booted(2);
    paper.pool.scale(0);
    paper.settle();
    for (const id of [1, 2]) paper.gone(id);
    paper.news();
    paper.reload(3);
    assert.deepEqual(paper.news(), ["spawn 3 in 1 of 2"]);
    paper.failed(3);
    paper.gone(3);
    assert.deepEqual(paper.news(), ["abandoned for 1: no such module"]);
    assert.deepEqual(paper.pool.roster, []);
    paper.reload(3);
    paper.ready(4);
    assert.deepEqual(paper.news(), ["spawn 4 in 1 of 3", "spawn 5 in 2 of 3", "spawn 6 in 3 of 3"]);
    paper.ready(5, 6);
    assert.deepEqual(paper.news(), ["established 3"]);
  });

  test("while the candidate is unproven, a crashed worker is replaced by one of the old generation", () => {
    const paper = booted(2);
    paper.reload();
    paper.gone(2);
    assert.deepEqual(paper.news(), ["spawn 3 in 1 of 2", "spawn 4 in 2 of 1"]);
  });

  test("a failure half-way through restores the old generation", () => {
    const paper = booted(2);
    paper.reload();
    paper.ready(3);
    paper.gone(1);
    paper.failed(4);
    paper.gone(4);
    // Worker 2 is still of the old generation; 3 makes room for one that is.
    assert.deepEqual(paper.news(), [
      "spawn 3 in 1 of 2",
      "drain 1",
      "spawn 4 in 2 of 2",
      "abandoned for 1: no such module",
      "spawn 5 in 1 of 1",
    ]);
    paper.ready(5);
    assert.deepEqual(paper.news(), ["drain 3"]);
  });

  test("a newer reload displaces an unproven one", () => {
    const paper = booted(1);
    paper.reload();
    paper.reload();
    assert.deepEqual(paper.news(), ["spawn 2 in 1 of 2", "quit 2"]);
    paper.gone(2);
    assert.deepEqual(paper.news(), ["spawn 3 in 1 of 3"]);
  });

  test("a newer reload waits for a proven one", () => {
    const paper = booted(2);
    paper.reload();
    paper.ready(3);
    paper.reload();
    assert.equal(paper.pool.desired.candidate?.generation, 2);
    assert.equal(paper.pool.desired.reloadAgain, true);
  });

  test("works when every worker is down and respawns are limited", () => {
    const paper = booted(1);
    for (let round = 0; round < 6; round++) {
      const worker = paper.pool.roster[0];
      if (worker !== undefined) paper.gone(worker.id);
      else paper.pass(60_000);
    }
    paper.pool.workerGone(paper.pool.roster[0]?.id ?? 0, "exited with code 1");
    paper.settle();
    paper.news();
    paper.reload();
    assert.match(paper.news()[0] ?? "", /^spawn \d+ in 1 of 2$/);
  });
});

describe("recycling", () => {
  test("the replacement is ready before the old one drains, one at a time", () => {
    const paper = booted(2);
    paper.pool.expire(1);
    paper.pool.expire(2);
    paper.settle();
    assert.deepEqual(paper.news(), ["spawn 3 in 1 of 1"]);
    paper.ready(3);
    assert.deepEqual(paper.news(), ["drain 1"]);
    paper.gone(1);
    assert.deepEqual(paper.news(), ["spawn 4 in 2 of 1"]);
  });

  test("a recycled worker makes room for a reload that began meanwhile", () => {
    const paper = booted(1);
    paper.pool.expire(1);
    paper.settle();
    paper.reload();
    paper.ready(2);
    paper.gone(1);
    assert.deepEqual(paper.news(), ["spawn 2 in 1 of 1", "drain 1", "spawn 3 in 1 of 2"]);
  });
});

describe("stopping", () => {
  test("drains, quits and then kills workers that are not done in time, and exits after the last one", () => {
    const paper = booted(2);
    paper.pool.stopGracefully();
    paper.settle();
    assert.deepEqual(paper.news(), ["drain 1", "drain 2"]);
    paper.gone(1);
    paper.pass(30_000);
    assert.deepEqual(paper.news(), ["overdue 2", "quit 2"]);
    paper.pass(QUIT_TIMEOUT_MS - 1);
    assert.deepEqual(paper.news(), []);
    paper.pass(1);
    assert.deepEqual(paper.news(), ["kill 2: stop-timeout"]);
    assert.equal(paper.pool.exitCode, undefined);
    paper.gone(2);
    assert.equal(paper.pool.exitCode, ExitCode.ok);
  });

  test("does not wait for a booting worker", () => {
    const paper = booted(1);
    paper.pool.scale(2);
    paper.settle();
    paper.pool.stopGracefully();
    paper.settle();
    assert.deepEqual(paper.news().slice(1), ["drain 1", "quit 2"]);
  });

  test("a second request hastens it, a third kills; one within a moment of the first counts as the first", () => {
    const paper = booted(1);
    paper.pool.stopGracefully();
    paper.settle();
    paper.pass(10);
    paper.pool.stopGracefully();
    paper.settle();
    assert.deepEqual(paper.news(), ["drain 1"]);
    paper.pass(1000);
    paper.pool.stopGracefully();
    paper.settle();
    assert.deepEqual(paper.news(), ["quit 1"]);
    paper.pass(10);
    paper.pool.stopGracefully();
    paper.settle();
    assert.deepEqual(paper.news(), [], "a repetition within a moment of the second is the second");
    paper.pass(1000);
    paper.pool.stopGracefully();
    paper.settle();
    assert.deepEqual(paper.news(), ["kill 1: stop"]);
  });
});

/** A random event. */
function happen(paper: PaperPool, random: (below: number) => number): string {
  const workers = paper.pool.roster;
  const worker = workers[random(Math.max(1, workers.length))];
  const { target } = paper.pool.desired;
  const events: [name: string, act: () => void][] = [
    ["reload", () => paper.reload(1 + random(4))],
    ["more", () => paper.pool.scale(Math.min(6, target + 1))],
    ["less", () => paper.pool.scale(target - 1)],
    ["time passes", () => paper.pass(random(5) * 400)],
    ["much time passes", () => paper.pass(random(3) * 30_000)],
  ];
  if (worker !== undefined) {
    const { id, state } = worker;
    const end = (): void => paper.gone(id);
    events.push([`worker ${id} ends`, end]);
    if (state === "draining") events.push([`worker ${id} ends`, end], [`worker ${id} ends`, end]);
    else events.push([`worker ${id} stops`, () => paper.pool.workerSignalled(id)]);
    if (state === "ready") events.push([`worker ${id} expires`, () => paper.pool.expire(id)]);
    if (state === "ready") events.push([`worker ${id} falls silent`, () => paper.silent.add(id)]);
    if (state === "booting") {
      const ready = (): void => paper.ready(id);
      events.push([`worker ${id} is ready`, ready], [`worker ${id} is ready`, ready]);
      events.push([`worker ${id} fails`, () => paper.failed(id)]);
      events.push([`worker ${id} cannot be started`, () => paper.unstarted(id)]);
    }
  }
  const [name, act] = events[random(events.length)] as (typeof events)[number];
  act();
  return name;
}

/** If no worker serves, one boots, or will in a moment if workers cannot boot or be started. */
function assertOneBoots(paper: PaperPool): void {
  const { target, lastBootFailed, respawnsLimitedUntil } = paper.pool.desired;
  if (target === 0 || activeWorkers(paper.pool.roster).length > 0) return;
  const held = heldUntil(paper.pool.desired) - paper.now;
  const wait = Math.max(held, lastBootFailed ? respawnsLimitedUntil - paper.now : 0);
  assert.ok(wait > 0 && wait <= 2000 && held <= 1000, `no worker serves or boots, for ${wait} ms`);
}

/** From now on every worker boots, and every worker that is told to stop ends. */
function calmDown(paper: PaperPool): void {
  paper.silent.clear();
  for (let round = 0; round < 1000; round++) {
    paper.pass(100);
    const booting = paper.ids("booting");
    const draining = paper.ids("draining");
    if (paper.pool.desired.reloadAgain) paper.reload();
    if (
      booting.length === 0 &&
      draining.length === 0 &&
      paper.now >= paper.pool.desired.respawnsLimitedUntil &&
      paper.pool.roster.length >= paper.pool.desired.target
    ) {
      if (paper.pool.desired.candidate === undefined || paper.pool.desired.target === 0) return;
    }
    for (const id of draining) paper.gone(id);
    for (const id of booting) paper.ready(id);
  }
  assert.fail(
    `it does not settle: ${JSON.stringify(paper.pool.desired)} ${JSON.stringify(paper.pool.roster)}`,
  );
}

test("random sequences of events keep the invariants, and the pool settles", () => {
  for (let seed = 1; seed <= 500; seed++) {
    const random = randomNumbers(seed);
    const story: string[] = [];
    try {
      const paper = booted(1 + random(4), 1 + random(2));
      for (let step = 0; step < 150; step++) {
        story.push(happen(paper, random));
        paper.settle();
        assert.equal(paper.pool.desired.stop, undefined, "a server that has served does not stop by itself");
        assert.equal(paper.settle(), paper.settle(), "a settled pool plans nothing");
        assertOneBoots(paper);
      }
      calmDown(paper);
      const { target, established } = paper.pool.desired;
      const { roster } = paper.pool;
      assert.deepEqual(
        roster.map((worker) => worker.slot).sort((a, b) => a - b),
        Array.from({ length: target }, (_, index) => index + 1),
        "each slot has one worker",
      );
      for (const worker of roster) {
        assert.equal(worker.state, "ready");
        assert.equal(worker.generation, established, "all are of one generation");
      }
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}\n${story.slice(-25).join("\n")}`, {
        cause: error,
      });
    }
  }
});

test("a stop ends in any state", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = randomNumbers(seed);
    const paper = booted(1 + random(4));
    for (let step = 0; step < random(60); step++) {
      happen(paper, random);
      paper.settle();
    }
    paper.pool.stopGracefully();
    paper.settle();
    const spawned = paper.news().length;
    for (let round = 0; round < 200 && paper.pool.exitCode === undefined; round++) {
      paper.pass(random(20_000));
      const [worker] = paper.pool.roster;
      if (worker !== undefined && (worker.ordered === "kill" || random(3) === 0)) paper.gone(worker.id);
    }
    assert.equal(paper.pool.exitCode, ExitCode.ok, `seed ${seed} with ${spawned} orders`);
    assert.ok(!paper.news().some((line) => line.startsWith("spawn")), "nothing is spawned while it stops");
  }
});
