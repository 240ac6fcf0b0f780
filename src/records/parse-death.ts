/**
 * Reads a record of a death. Anybody may have written the file, and a worker's app much of what is in it: every member is
 * checked, and every text and list cut to its bound. Pure.
 */
import { EXIT_REASONS, type ExitReason } from "../scoreboard/metrics.ts";
import type { DeathRecord, DeathSample } from "./death-record.ts";

export const MAX_RECORD_BYTES = 512 * 1024;

/** Bounds of a record's lists and texts: numbers of entries and characters. */
export const BOUNDS = {
  name: 200,
  line: 1000,
  errorStack: 8000,
  frames: 40,
  children: 20,
  requests: 50,
  spaces: 16,
  samples: 60,
  stderrLines: 200,
} as const;

type Members = Readonly<Record<string, unknown>>;

/** Returns undefined if the text is not a record of this version. */
export function parseDeathRecord(json: string): DeathRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined;
  }
  const record = members(value);
  const { end, worker } = { end: members(record.end), worker: members(record.worker) };
  const isRecord = record.version === 1 && isReason(end.reason) && pid(worker.pid) > 0;
  if (!isRecord || Number.isNaN(Date.parse(text(record.time, 40)))) return undefined;
  const server = members(record.server);
  const memory = members(record.memory);
  return {
    version: 1,
    time: text(record.time, 40),
    server: {
      name: text(server.name, BOUNDS.name),
      app: text(server.app, BOUNDS.line),
      folder: text(server.folder, BOUNDS.line),
      release: text(server.release, BOUNDS.line),
      tsgun: text(server.tsgun, BOUNDS.name),
      node: text(server.node, BOUNDS.name),
      arbiter: pid(server.arbiter),
    },
    worker: {
      pid: pid(worker.pid),
      slot: number(worker.slot) ?? 0,
      generation: number(worker.generation) ?? 0,
      state: oneOf(worker.state, ["booting", "ready", "draining"]) ?? "ready",
      age: number(worker.age) ?? 0,
      served: number(worker.served),
      requests: number(worker.requests) ?? 0,
    },
    end: {
      reason: end.reason as ExitReason,
      exitCode: number(end.exitCode),
      signal: textOrNull(end.signal, BOUNDS.name),
      how: text(end.how, BOUNDS.line),
      orderedFor: textOrNull(end.orderedFor, BOUNDS.line),
      killedFor: oneOf(end.killedFor, ["boot-timeout", "stop-timeout", "silence", "stop"]),
      isProblem: end.isProblem === true,
    },
    error: errorOf(record.error),
    stall: stallOf(record.stall),
    requestsInFlight: list(record.requestsInFlight, BOUNDS.requests).map(members).map(requestOf),
    memory: {
      heapUsed: number(memory.heapUsed),
      heapLimit: number(memory.heapLimit),
      heapSpaces: list(memory.heapSpaces, BOUNDS.spaces)
        .map(members)
        .map(({ name, bytes }) => ({ name: text(name, BOUNDS.name), bytes: number(bytes) ?? 0 })),
      external: number(memory.external),
      rss: number(memory.rss),
      oomKillsBefore: number(memory.oomKillsBefore),
      oomKillsAfter: number(memory.oomKillsAfter),
      groupLimit: number(memory.groupLimit),
    },
    samples: list(record.samples, BOUNDS.samples).map(members).map(sampleOf),
    stderr: texts(record.stderr, BOUNDS.stderrLines),
  };
}

function errorOf(value: unknown): DeathRecord["error"] {
  if (value === null || value === undefined) return null;
  const { kind, message, stack } = members(value);
  const known = oneOf(kind, ["exception", "rejection", "exit", "abort", "signal", "boot"]);
  if (known === null) return null;
  return { kind: known, message: text(message, BOUNDS.line), stack: textOrNull(stack, BOUNDS.errorStack) };
}

function stallOf(value: unknown): DeathRecord["stall"] {
  if (value === null || value === undefined) return null;
  const { blockedFor, where, stack, children } = members(value);
  const known = oneOf(where, ["JavaScript", "native code", "stopped", "waiting"]);
  if (known === null) return null;
  return {
    blockedFor: number(blockedFor) ?? 0,
    where: known,
    stack: texts(stack, BOUNDS.frames),
    children: list(children, BOUNDS.children)
      .map(members)
      .map((child) => ({ pid: pid(child.pid), command: text(child.command, BOUNDS.line) })),
  };
}

function requestOf({ method, target, id, age }: Members): DeathRecord["requestsInFlight"][number] {
  return {
    method: text(method, BOUNDS.name),
    target: text(target, BOUNDS.line),
    id: textOrNull(id, BOUNDS.name),
    age: number(age) ?? 0,
  };
}

function sampleOf(sample: Members): DeathSample {
  return {
    time: number(sample.time) ?? 0,
    rss: number(sample.rss),
    heapUsed: number(sample.heapUsed),
    external: number(sample.external),
    loopDelay: number(sample.loopDelay),
    cpu: number(sample.cpu),
    requestsPerSecond: number(sample.requestsPerSecond),
    inFlight: number(sample.inFlight),
  };
}

function isReason(value: unknown): value is ExitReason {
  return (EXIT_REASONS as readonly unknown[]).includes(value);
}

function members(value: unknown): Members {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Members) : {};
}

function list(value: unknown, most: number): readonly unknown[] {
  return Array.isArray(value) ? value.slice(0, most) : [];
}

function texts(value: unknown, most: number): string[] {
  return list(value, most).map((each) => text(each, BOUNDS.line));
}

function text(value: unknown, most: number): string {
  return typeof value === "string" ? value.slice(0, most) : "";
}

function textOrNull(value: unknown, most: number): string | null {
  return typeof value === "string" ? value.slice(0, most) : null;
}

function number(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function pid(value: unknown): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : 0;
}

function oneOf<const Word extends string>(value: unknown, words: readonly Word[]): Word | null {
  return words.find((word) => word === value) ?? null;
}
