/**
 * The plan of a chaos run: which fault comes when. Pure: the same seed and time give the same plan, on every machine, so
 * that a run that failed can be had again. A run is made of acts, each with a rest in which all must be well.
 */
import { Random } from "../support/random.ts";

/** A fault, and the bounds of its amount: milliseconds, workers or bytes, as `faults.ts` takes it. */
interface FaultKind {
  readonly amount?: readonly [least: number, most: number];
  readonly ways?: readonly string[];
}

export const FAULTS = {
  // Workers
  "kill-worker": { ways: ["SIGKILL", "SIGSEGV", "SIGABRT"] },
  "kill-all-workers": {},
  "terminate-worker": {},
  "stop-worker": { amount: [200, 2500] },
  "stop-worker-for-good": {},
  "block-worker": { amount: [200, 2500] },
  "block-worker-for-good": {},
  "leak-memory": {},
  "fill-heap": {},
  "use-up-descriptors": {},
  "throw-uncaught": {},
  "crash-at-boot": { amount: [300, 2500] },
  "slow-boot": { amount: [500, 2500] },
  "restart-worker": {},
  // Reloads
  reload: {},
  "reload-with-syntax-error": {},
  "reload-that-throws": {},
  "reload-without-end": {},
  "reload-with-broken-configuration": {},
  // Upgrades
  upgrade: {},
  "upgrade-that-fails": {},
  "upgrade-twice": {},
  "upgrade-during-reload": {},
  "kill-new-arbiter": {},
  // Size
  "one-more-worker": {},
  "one-worker-less": {},
  scale: { amount: [1, 5] },
  // Surroundings
  "rotate-log": {},
  "full-disk": { amount: [300, 3000] },
  "control-commands": {},
  "clock-forward": { amount: [1000, 7_200_000] },
  "clock-back": { amount: [1000, 7_200_000] },
  /** Only where `plan` says so: counters begin anew, and clients are refused until a new server serves. */
  "kill-arbiter": {},
} as const satisfies Readonly<Record<string, FaultKind>>;

export type FaultName = keyof typeof FAULTS;

export interface Action {
  /** Milliseconds from the beginning of the act. */
  readonly at: number;
  readonly fault: FaultName;
  /** Chooses a worker, where one is needed: the number of workers divides it. */
  readonly pick: number;
  readonly amount: number;
  readonly way: string;
}

export type Act = readonly Action[];

/** The time of an act. A rest follows, which takes about half of that. */
export const ACT_MS = 20_000;
const WITH_REST_MS = 30_000;
/** Between two actions. */
const PAUSE_MS = [400, 1200] as const;
/** The first action comes when each load has had answers. */
const FIRST_MS = 300;
/** The arbiter is killed in every third act, from the second on, after so long. */
const ARBITER_ACTS = 3;
const ARBITER_KILLED_MS = 9000;

/** The acts of a run of so many minutes. */
export function plan(seed: number, minutes: number): readonly Act[] {
  const random = new Random(seed);
  const bag = new Bag(random);
  const acts = Math.max(1, Math.round((minutes * 60_000) / WITH_REST_MS));
  return Array.from({ length: acts }, (_, number) => act(random, bag, number));
}

function act(random: Random, bag: Bag, number: number): Act {
  const actions: Action[] = [];
  let arbiterIsDue = number % ARBITER_ACTS === 1;
  let at = FIRST_MS;
  while (at < ACT_MS) {
    const kills = arbiterIsDue && at > ARBITER_KILLED_MS;
    if (kills) arbiterIsDue = false;
    actions.push(action(random, at, kills ? "kill-arbiter" : bag.take()));
    at += between(random, PAUSE_MS);
  }
  return actions;
}

function action(random: Random, at: number, fault: FaultName): Action {
  const { amount, ways }: FaultKind = FAULTS[fault];
  return {
    at,
    fault,
    pick: random.below(1_000_000),
    amount: amount === undefined ? 0 : between(random, amount),
    way: ways === undefined ? "" : random.pick(ways),
  };
}

function between(random: Random, [least, most]: readonly [number, number]): number {
  return least + random.below(most - least + 1);
}

/** Gives every fault once, in some order, before any comes again: a short run has them all, too. */
class Bag {
  readonly #random: Random;
  #left: FaultName[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  take(): FaultName {
    if (this.#left.length === 0)
      this.#left = (Object.keys(FAULTS) as FaultName[]).filter((name) => name !== "kill-arbiter");
    const [taken] = this.#left.splice(this.#random.below(this.#left.length), 1);
    return taken as FaultName;
  }
}

/** The plan as text, a line for each action. */
export function planText(acts: readonly Act[]): string {
  return acts
    .map((actions, number) => actions.map((each) => `${number + 1} ${actionText(each)}`).join("\n"))
    .join("\n");
}

export function actionText({ at, fault, amount, way, pick }: Action): string {
  const detail = [way, amount === 0 ? "" : String(amount)].filter((word) => word !== "").join(" ");
  return `${(at / 1000).toFixed(3).padStart(7)}s ${fault}${detail === "" ? "" : ` ${detail}`} (${pick})`;
}
