/**
 * Examinations of a running worker: the arbiter writes commands into the socket pair that carries the worker's reports,
 * and the watchdog thread answers there, so that a blocked main thread holds up neither. One line of JSON each. What a
 * worker writes is not trusted: an app may run as another user and write to the descriptor itself.
 */
import type { ChildProcess, StalledRequest, ThreadState } from "./stall-report.ts";

/** An examination of the main thread. */
export type Examination =
  /** Its JavaScript stack now, and the requests in flight. */
  | { readonly kind: "stack" }
  /** A CPU profile of so many milliseconds. */
  | { readonly kind: "profile"; readonly milliseconds: number }
  /** The size of its heap. */
  | { readonly kind: "heap-size" }
  /** A snapshot of its heap. */
  | { readonly kind: "heap" }
  /** Its slowest requests, as `SlowRequest`. */
  | { readonly kind: "slow-requests" };

/** A command to the watchdog thread; `number` is unique in an arbiter. */
export type WatchdogCommand = { readonly number: number } & (
  | Examination
  /** The reader takes so many more parts of examination `number`. */
  | { readonly kind: "more"; readonly parts: number }
  /** Nobody waits for examination `number` any more. */
  | { readonly kind: "cancel" }
);

const EXAMINATIONS: readonly unknown[] = ["stack", "profile", "heap-size", "heap", "slow-requests"];

/** Parts of an examination that are sent before the first `more`. */
export const FIRST_PARTS = 16;

/** Characters of a part. Small enough that a stall report never waits long behind parts. */
export const PART_CHARACTERS = 32_768;

/** A worker that sends a longer part is broken. JSON may write a character as six. */
const MAX_PART_CHARACTERS = 2 * PART_CHARACTERS;

/** Limit of each text in a report. */
const MAX_TEXT = 2000;
const MAX_FRAMES = 60;
const MAX_LISTED = 500;

/** The answer to an examination: any number of parts, then one of the other two. */
export type ExaminationAnswer =
  | { readonly kind: "examined"; readonly number: number; readonly part: string }
  /** It is done. Without `isFinal`, this is known so far and more will come. */
  | {
      readonly kind: "examined";
      readonly number: number;
      readonly result: unknown;
      readonly isFinal: boolean;
    }
  /** It has failed; the reason continues "worker 123 …". */
  | { readonly kind: "examined"; readonly number: number; readonly failure: string };

/** The main thread: its state, and its place in the code. */
export interface MainThreadView {
  /**
   * `javascript`: it runs JavaScript, at `stack`. `idle`: it waits for events. `native`: it is in a call that has not returned
   * to JavaScript; its stack is known only then.
   */
  readonly doing: "javascript" | "idle" | "native";
  /** Innermost frame first, as `at name (path:line:column)`. */
  readonly stack: readonly string[];
  /** Null while it is in native code. */
  readonly inFlight: readonly Pick<StalledRequest, "method" | "target" | "id" | "age">[] | null;
  /** How long the event loop has not turned, in milliseconds, as far as its beats tell. */
  readonly blockedForMs: number;
  readonly mainThread: ThreadState;
  readonly children: readonly ChildProcess[];
}

/** A request that took long. */
export interface SlowRequest {
  readonly method: string;
  /** "" if there were too many requests at once to keep it. */
  readonly target: string;
  readonly id: string | null;
  /** 0: without a response. */
  readonly status: number;
  /** When its head had arrived, in milliseconds since the epoch. */
  readonly at: number;
  /** Milliseconds until the response had been sent, or given up. */
  readonly duration: number;
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Parses a line from the arbiter. A command of another kind, by a later arbiter, has the kind `unknown`; returns undefined if the
 * line is no command at all.
 */
export function parseWatchdogCommand(
  line: string,
):
  | WatchdogCommand
  | { readonly kind: "unknown"; readonly number: number; readonly name: string }
  | undefined {
  const command = parseObject(line);
  if (command === undefined || !Number.isInteger(command.number)) return undefined;
  const { kind, milliseconds, parts } = command;
  const isKnown =
    (EXAMINATIONS.includes(kind) && (kind !== "profile" || isCount(milliseconds))) ||
    (kind === "more" && isCount(parts)) ||
    kind === "cancel";
  if (isKnown) return command as unknown as WatchdogCommand;
  return { kind: "unknown", number: command.number as number, name: String(kind).slice(0, 50) };
}

function isCount(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) > 0;
}

/** The beginning of every answer, so that a reader of many lines parses only these. */
const ANSWER_START = '{"kind":"examined",';

/** Writes an answer as a line, which `parseExaminationAnswer` reads. */
export function examinationLine(answer: ExaminationAnswer): string {
  const { kind, ...rest } = answer;
  return `${JSON.stringify({ kind, ...rest })}\n`;
}

/** Parses a line from a worker; returns undefined if it is not a complete answer. */
export function parseExaminationAnswer(line: string): ExaminationAnswer | undefined {
  if (!line.startsWith(ANSWER_START)) return undefined;
  const answer = parseObject(line);
  if (answer === undefined || !Number.isInteger(answer.number)) return undefined;
  const { part, failure, isFinal } = answer;
  const isComplete =
    (typeof part === "string" && part.length <= MAX_PART_CHARACTERS) ||
    (typeof failure === "string" && failure.length <= MAX_TEXT) ||
    (typeof isFinal === "boolean" && "result" in answer);
  return isComplete ? (answer as unknown as ExaminationAnswer) : undefined;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value.slice(0, MAX_TEXT) : "";
}

function numberOf(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

function listOf(value: unknown, limit: number): Record<string, unknown>[] {
  if (!Array.isArray(value)) return [];
  return value
    .slice(0, limit)
    .filter((each: unknown): each is Record<string, unknown> => typeof each === "object" && each !== null);
}

const THREAD_STATES: readonly unknown[] = ["running", "waiting", "uninterruptible", "stopped"];

/** Takes over what a worker reports of its main thread, bounded; returns undefined if it is no such report. */
export function asMainThreadView(value: unknown): MainThreadView | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { doing, stack, inFlight, blockedForMs, mainThread, children } = value as Record<string, unknown>;
  if (doing !== "javascript" && doing !== "idle" && doing !== "native") return undefined;
  return {
    doing,
    stack: Array.isArray(stack) ? stack.slice(0, MAX_FRAMES).map(textOf) : [],
    inFlight: Array.isArray(inFlight)
      ? listOf(inFlight, MAX_LISTED).map(({ method, target, id, age }) => ({
          method: textOf(method),
          target: textOf(target),
          id: textOf(id),
          age: numberOf(age),
        }))
      : null,
    blockedForMs: numberOf(blockedForMs),
    mainThread: THREAD_STATES.includes(mainThread) ? (mainThread as ThreadState) : "unknown",
    children: listOf(children, MAX_LISTED).map(({ pid, command }) => ({
      pid: numberOf(pid),
      command: textOf(command),
    })),
  };
}

/** Takes over a worker's list of slow requests, bounded; leaves out what is no such request. */
export function asSlowRequests(value: unknown): SlowRequest[] {
  return listOf(value, MAX_LISTED).flatMap((each) => {
    const { method, target, id, status, at, duration } = each;
    if (typeof method !== "string" || typeof target !== "string") return [];
    if (typeof at !== "number" || typeof duration !== "number") return [];
    return {
      method: textOf(method),
      target: textOf(target),
      id: typeof id === "string" && id !== "" ? textOf(id) : null,
      status: numberOf(status),
      at: numberOf(at),
      duration: numberOf(duration),
    };
  });
}
