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
  /** Over TLS; else a reload like any other. */
  "new-certificates": {},
  "reload-with-wrong-key": {},
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
  // Clients
  /** Parts of handshakes and heads, and what is neither. */
  "broken-connections": { amount: [5, 40] },
  /** Requests whose client leaves: streams that are reset, connections that are. */
  "vanishing-clients": { amount: [5, 40] },
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

export const APPS = ["gateway", "fetch", "listener", "server"] as const;

/** The app that an act serves, and how its clients come. Every socket speaks TLS, or none. */
export interface Way {
  /** A gateway app, a fetch app, a node listener, or an Express app whose program makes a server listen. */
  readonly app: (typeof APPS)[number];
  readonly tls: boolean;
  /** HTTP/2 as well, which a program that listens does not get. */
  readonly http2: boolean;
}

export interface Act {
  readonly way: Way;
  readonly actions: readonly Action[];
}

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
  const faults = new Bag(
    random,
    (Object.keys(FAULTS) as FaultName[]).filter((name) => name !== "kill-arbiter"),
  );
  const ways = new Ways(new Random(seed));
  const acts = Math.max(1, Math.round((minutes * 60_000) / WITH_REST_MS));
  return Array.from({ length: acts }, (_, number) => ({
    way: ways.take(),
    actions: actionsOf(random, faults, number),
  }));
}

function actionsOf(random: Random, faults: Bag<FaultName>, number: number): Action[] {
  const actions: Action[] = [];
  let arbiterIsDue = number % ARBITER_ACTS === 1;
  let at = FIRST_MS;
  while (at < ACT_MS) {
    const kills = arbiterIsDue && at > ARBITER_KILLED_MS;
    if (kills) arbiterIsDue = false;
    actions.push(action(random, at, kills ? "kill-arbiter" : faults.take()));
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

/** Gives everything once, in some order, before anything comes again: a short run has every fault, too. */
class Bag<T> {
  readonly #random: Random;
  readonly #all: readonly T[];
  #left: T[] = [];

  constructor(random: Random, all: readonly T[]) {
    this.#random = random;
    this.#all = all;
  }

  take(): T {
    if (this.#left.length === 0) this.#left = [...this.#all];
    const [taken] = this.#left.splice(this.#random.below(this.#left.length), 1);
    return taken as T;
  }
}

/** Every app over TCP and TLS, in turn, and with HTTP/2 or without. */
class Ways {
  readonly #bags: readonly Bag<Way>[];
  #taken: number;

  constructor(random: Random) {
    this.#taken = random.below(2);
    this.#bags = [false, true].map((tls) => {
      const speaks = APPS.map((app) => ({ app, tls, http2: false }));
      const more = speaks.filter(({ app }) => app !== "server");
      return new Bag(random, [...speaks, ...more.map((way) => ({ ...way, http2: true }))]);
    });
  }

  take(): Way {
    const bag = this.#bags[this.#taken++ % 2] as Bag<Way>;
    return bag.take();
  }
}

/** The plan as text, a line for each action. */
export function planText(acts: readonly Act[]): string {
  return acts
    .map(({ way, actions }, number) =>
      [wayText(way), ...actions.map(actionText)].map((line) => `${number + 1} ${line}`).join("\n"),
    )
    .join("\n");
}

export function wayText({ app, tls, http2 }: Way): string {
  return [app, ...(tls ? ["TLS"] : []), ...(http2 ? ["HTTP/2"] : [])].join(", ");
}

export function actionText({ at, fault, amount, way, pick }: Action): string {
  const detail = [way, amount === 0 ? "" : String(amount)].filter((word) => word !== "").join(" ");
  return `${(at / 1000).toFixed(3).padStart(7)}s ${fault}${detail === "" ? "" : ` ${detail}`} (${pick})`;
}
