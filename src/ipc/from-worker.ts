/**
 * Reads a worker's messages to the arbiter. The app runs in the same process and has the same channel, so a message may be
 * anything: one that is malformed is none, and every text and list is cut to its bound.
 */
import type { BootStep } from "./boot-step.ts";
import type { BootFailure, BootFailureKind, Due, FromPreflight, FromWorker, LoadedFile } from "./messages.ts";
import type { Answer } from "./question.ts";

/** Characters of a text, of a stack, and files in a message. */
const MAX_TEXT = 10_000;
const MAX_STACK = 50_000;
const MAX_FILES = 100_000;

type Members = Readonly<Record<string, unknown>>;

/** Returns the message; undefined if it is none. */
export function parseFromWorker(value: unknown): FromWorker | undefined {
  const message = members(value);
  if (message === undefined) return undefined;
  switch (message.type) {
    case "booting":
      return { type: "booting" };
    case "boot-step":
      return bootStep(message);
    case "loaded":
      return { type: "loaded", files: filesOf(message.files) };
    case "ready":
      return { type: "ready", serving: text(message.serving) };
    case "failed":
      return { type: "failed", ...failure(message) };
    case "beat":
      return beat(message);
    case "answer":
      return answer(message);
    case "due":
      return due(message);
    case "draining":
      return { type: "draining", cause: text(message.cause) };
    default:
      return undefined;
  }
}

/** Returns the message of a preflight process, which has loaded the app; undefined if it is none. */
export function parseFromPreflight(value: unknown): FromPreflight | undefined {
  const message = members(value);
  switch (message?.type) {
    case "boot-step":
      return bootStep(message);
    case "loaded":
      return { type: "loaded", what: text(message.what) };
    case "failed":
      return { type: "failed", exitCode: count(message.exitCode), ...failure(message) };
    default:
      return undefined;
  }
}

const STEPS: Readonly<Record<BootStep["step"], true>> = {
  hook: true,
  load: true,
  call: true,
  listen: true,
  adopt: true,
  startup: true,
  "warm-up": true,
};

function bootStep({ step, of }: Members): ({ readonly type: "boot-step" } & BootStep) | undefined {
  const known = keyOf(STEPS, step);
  return known && { type: "boot-step", step: known, of: text(of) };
}

function filesOf(value: unknown): LoadedFile[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, MAX_FILES).flatMap((each: unknown) => {
    const { path, stamp } = members(each) ?? {};
    return typeof path === "string" && typeof stamp === "string" ? { path, stamp: text(stamp) } : [];
  });
}

const FAILURES: Readonly<Record<BootFailureKind, true>> = { load: true, startup: true };

function failure({ kind, message, stack }: Members): BootFailure {
  return {
    kind: keyOf(FAILURES, kind) ?? "startup",
    message: text(message),
    ...(typeof stack === "string" && { stack: stack.slice(0, MAX_STACK) }),
  };
}

function beat({ connections, requests, debugged, isShort, notReady }: Members): FromWorker {
  return {
    type: "beat",
    connections: count(connections),
    requests: count(requests),
    debugged: debugged === true,
    ...(isShort === true && { isShort }),
    ...(typeof notReady === "string" && { notReady: text(notReady) }),
  };
}

function answer({ number, answer: given }: Members): FromWorker | undefined {
  if (typeof number !== "number") return undefined;
  const read = answerOf(members(given) ?? {});
  return read && { type: "answer", number, answer: read };
}

function answerOf({ kind, value, error }: Members): Answer | undefined {
  if (kind === "received") return { kind };
  if (kind === "value") return { kind, value };
  return kind === "error" ? { kind, error: text(error) } : undefined;
}

const DUE: Readonly<Record<Due["why"], true>> = {
  requests: true,
  lifetime: true,
  descriptors: true,
  heap: true,
};

function due({ why, amount }: Members): FromWorker | undefined {
  const known = keyOf(DUE, why);
  return known && { type: "due", why: known, amount: count(amount) };
}

function members(value: unknown): Members | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Members)
    : undefined;
}

function keyOf<Key extends string>(table: Readonly<Record<Key, true>>, value: unknown): Key | undefined {
  return typeof value === "string" && Object.hasOwn(table, value) ? (value as Key) : undefined;
}

function text(value: unknown): string {
  return typeof value === "string" ? value.slice(0, MAX_TEXT) : "";
}

function count(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : 0;
}
