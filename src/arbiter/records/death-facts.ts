/** Makes the record of a worker's end out of what the arbiter knows of it. Pure. */

import type { LastWords } from "../../ipc/last-words.ts";
import { OWN_CODE } from "../../ipc/programs.ts";
import type { RequestInFlight } from "../../ipc/request-report.ts";
import type { StallReport } from "../../ipc/stall-report.ts";
import type { DeathRecord } from "../../records/death-record.ts";
import { BOUNDS } from "../../records/parse-death.ts";
import type { Vitals } from "../../scoreboard/page-reader.ts";
import type { WorkerRecord } from "../pool/roster.ts";
import type { EndedWorker } from "../stats/stats.ts";
import type { HeapReport } from "./heap-report.ts";

/** The arbiter's knowledge of a worker when it ends. */
export interface Death extends EndedWorker {
  /** As the worker and its watchdog have reported them; undefined if they had no time to. */
  readonly requests: readonly RequestInFlight[] | undefined;
  /** The last report of its watchdog, unless the event loop has turned since. */
  readonly stall: StallReport | undefined;
  /** It was killed while its process was stopped (SIGSTOP). */
  readonly wasStopped: boolean;
  readonly words: LastWords | undefined;
  /** Node's report, if the heap was exhausted. */
  readonly heap: HeapReport | undefined;
  /** The kernel's count of out-of-memory kills in the control group. */
  readonly oomKills: { readonly before: number | null; readonly after: number | null };
}

export interface Surroundings {
  readonly server: DeathRecord["server"];
  /** Milliseconds of the pool's clock. */
  readonly now: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly groupLimit: number | null;
}

export function deathRecord(death: Death, around: Surroundings): DeathRecord {
  const { record: worker, ending, pid = 0, end, samples } = death;
  const { now, time, server } = around;
  const base = {
    version: 1,
    time: new Date(time).toISOString(),
    server,
    worker: {
      pid,
      slot: worker.slot,
      generation: worker.generation,
      state: stateOf(worker),
      age: Math.round(now - worker.spawnedAt),
      served: worker.readyAt === undefined ? null : Math.round(now - worker.readyAt),
      requests: worker.lastBeat?.requests ?? 0,
    },
    end: {
      reason: end.reason,
      exitCode: ending.code,
      signal: ending.signal,
      how: howOf(death),
      orderedFor: end.orderedFor,
      killedFor: worker.killedFor ?? null,
      isProblem: end.isProblem,
    },
  } as const;
  // An ordered end is of no interest beyond that: its record is short.
  if (!end.isProblem) return { ...base, ...NOTHING };
  return {
    ...base,
    error: errorOf(death),
    stall: stallOf(death),
    requestsInFlight: requestsOf(death, around),
    memory: memoryOf(death, around),
    samples: samples.slice(-BOUNDS.samples),
    stderr: (death.page?.stderr ?? []).slice(-BOUNDS.stderrLines),
  };
}

/** The state before the arbiter's decision to kill it, or its failure to boot, made it a draining one. */
function stateOf({ state, stoppedFor, readyAt }: WorkerRecord): WorkerRecord["state"] {
  if (state !== "draining" || stoppedFor !== undefined) return state;
  return readyAt === undefined ? "booting" : "ready";
}

const NO_MEMORY: DeathRecord["memory"] = {
  heapUsed: null,
  heapLimit: null,
  heapSpaces: [],
  external: null,
  rss: null,
  oomKillsBefore: null,
  oomKillsAfter: null,
  groupLimit: null,
};

const NOTHING = {
  error: null,
  stall: null,
  requestsInFlight: [],
  memory: NO_MEMORY,
  samples: [],
  stderr: [],
} as const;

/** A worker that a foreign signal told to stop exits cleanly, and says nothing about it. */
function howOf({ how, record, ending, end }: Death): string {
  const { reason, orderedFor, isProblem } = end;
  const { stoppedFor } = record;
  const isForeign = isProblem && reason === "killed" && orderedFor === null && ending.signal === null;
  return isForeign && stoppedFor !== undefined ? `was told to stop by ${stoppedFor.text}, and ${how}` : how;
}

function errorOf({ record, words }: Death): DeathRecord["error"] {
  const { failure } = record;
  if (failure !== undefined)
    return {
      kind: "boot",
      message: firstLine(failure.message),
      stack: textOf(failure.stack, BOUNDS.errorStack) || null,
    };
  return words === undefined ? null : { ...words, message: firstLine(words.message) };
}

function firstLine(message: unknown): string {
  const text = textOf(message, BOUNDS.errorStack);
  return (text.split("\n", 1)[0] as string).slice(0, BOUNDS.line);
}

/** Takes text of a report, which may be anything: the worker's app can write to the pipe as well. */
function textOf(value: unknown, most: number): string {
  return typeof value === "string" ? value.slice(0, most) : "";
}

function stallOf({ stall, wasStopped, record }: Death): DeathRecord["stall"] {
  if (wasStopped) return { blockedFor: record.maxSilence, where: "stopped", stack: [], children: [] };
  if (stall === undefined || stall.kind === "recovered" || stall.kind === "orphaned") return null;
  const { blockedForMs, inNative, stack, children, mainThread, kind } = stall;
  const where =
    mainThread === "uninterruptible"
      ? "waiting"
      : inNative || kind === "returned"
        ? "native code"
        : "JavaScript";
  return {
    blockedFor: typeof blockedForMs === "number" ? blockedForMs : 0,
    where,
    stack: framesOf(stack),
    children: children.slice(0, BOUNDS.children).map((child) => ({
      pid: typeof child?.pid === "number" ? child.pid : 0,
      command: textOf(child?.command, BOUNDS.line),
    })),
  };
}

/** The frames without tsgun's own, unless there are no others. */
function framesOf(stack: readonly string[]): string[] {
  const frames = stack.map((frame) => textOf(frame, BOUNDS.line));
  const others = frames.filter((frame) => !frame.includes(OWN_CODE));
  return (others.length > 0 ? others : frames).slice(0, BOUNDS.frames);
}

/** The worker's own report has the ids; the page has them all, whatever ended it. */
function requestsOf({ requests = [], page }: Death, { time }: Surroundings): DeathRecord["requestsInFlight"] {
  const onPage = (page?.requests ?? []).map(({ method, target, startedAt }) => {
    return { method, target, id: undefined, since: startedAt };
  });
  const known = requests.length > 0 ? requests : onPage;
  return known.slice(0, BOUNDS.requests).map(({ method, target, id, since }) => ({
    method: textOf(method, BOUNDS.name),
    target: textOf(target, BOUNDS.line),
    id: textOf(id, BOUNDS.name) || null,
    age: Math.max(0, Math.round(time - since)),
  }));
}

function memoryOf(
  { oomKills, page, heap, samples }: Death,
  { groupLimit }: Surroundings,
): DeathRecord["memory"] {
  const last = samples.at(-1);
  const vitals = page?.vitals;
  return {
    ...NO_MEMORY,
    heapUsed: vitals?.heapUsed ?? null,
    heapLimit: vitals?.heapLimit ?? null,
    heapSpaces: spacesOf(vitals),
    external: vitals?.external ?? null,
    // A blocked worker does not measure itself; the arbiter sees it in /proc.
    rss: last?.rss ?? vitals?.rss ?? null,
    ...heap,
    oomKillsBefore: oomKills.before,
    oomKillsAfter: oomKills.after,
    groupLimit,
  };
}

const SPACES = {
  heapOld: "old space",
  heapNew: "new space",
  heapLarge: "large objects",
  heapCode: "code",
} as const;

function spacesOf(vitals: Vitals | undefined): DeathRecord["memory"]["heapSpaces"] {
  if (vitals === undefined) return [];
  return Object.entries(SPACES)
    .map(([vital, name]) => ({ name, bytes: vitals[vital as keyof typeof SPACES] }))
    .sort((a, b) => b.bytes - a.bytes);
}
