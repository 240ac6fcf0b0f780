/** The pool as data, for its tests: without processes, with a clock that the test moves, and invariants checked at each action. */
import assert from "node:assert/strict";
import { firstBoot } from "../../src/arbiter/pool/desired.ts";
import type { Limits } from "../../src/arbiter/pool/limits.ts";
import { Pool, type PoolEffects } from "../../src/arbiter/pool/pool.ts";
import { canReload } from "../../src/arbiter/pool/rollout.ts";
import { activeWorkers, readyWorkers } from "../../src/arbiter/pool/roster.ts";

export const LIMITS: Limits = { boot: 60_000, graceful: 30_000, silence: 20_000, crashes: undefined };

/** Heartbeat interval of a worker on paper, unless it is silent. */
const BEAT = 5000;

export class PaperPool {
  now = 1000;
  generation = 1;
  readonly #actions: string[] = [];
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
        this.#actions.push(`spawn ${id} in ${slot} of ${generation}`);
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
        this.#actions.push(`${order} ${id}`);
        if (order === "quit") this.#quits.add(id);
        // One that boots is only told that it is not needed.
        const hasServed = this.pool.find(id)?.readyAt !== undefined;
        if (order !== "drain" || !hasServed || this.pool.desired.stop !== undefined) return;
        const ready = readyWorkers(this.pool.roster).length;
        const { target } = this.pool.desired;
        assert.ok(ready >= target, `only ${ready} workers are left ready, ${target} are wanted`);
      },
      kill: (id, why) => {
        this.#actions.push(`kill ${id}: ${why}`);
        if (why === "silence") assert.ok(this.silent.has(id), `worker ${id} had given signs of life`);
        const { failure, readyAt } = this.pool.find(id) ?? {};
        if (why === "stop-timeout" && failure === undefined && readyAt !== undefined)
          assert.ok(this.#quits.has(id), `worker ${id} had no chance to shut its app down`);
      },
      overdue: (id) => this.#actions.push(`overdue ${id}`),
      bootFailed: (id) => this.#actions.push(`failed ${id}`),
      unstarted: (failure) => this.#actions.push(`unstarted: ${failure.message}`),
      established: (generation) => this.#actions.push(`established ${generation}`),
      substitute: () => undefined,
      abandoned: (failure, established) =>
        this.#actions.push(`abandoned for ${established}: ${failure.message}`),
      limits: () => LIMITS,
    };
  }

  settle(): number | undefined {
    return this.pool.settle();
  }

  /** The actions since the last call. */
  newActions(): string[] {
    return this.#actions.splice(0);
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
    for (const id of ids) this.pool.workerSignalled(id, { reason: "killed", text: "SIGTERM from outside" });
    this.settle();
  }

  unstarted(id: number): void {
    this.pool.workerUnstarted(id, { kind: "startup", message: "no room" });
    this.settle();
  }

  reload(target = this.pool.desired.target): void {
    if (!canReload(this.pool.desired)) {
      this.pool.setReloadQueued(true);
      return;
    }
    this.pool.setReloadQueued(false);
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

/** A pool whose first generation is established. */
export function booted(target: number, surge = 1, limits: Limits = LIMITS): PaperPool {
  const paper = new PaperPool(target, surge, limits);
  paper.ready(...paper.ids("booting"));
  assert.equal(paper.pool.desired.established, 1);
  paper.newActions();
  return paper;
}
