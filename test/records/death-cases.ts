/** The deaths of workers, and the story that `tsgun why` must tell of each. */
import assert from "node:assert/strict";
import type { DeathRecord } from "../../src/records/death-record.ts";
import type { Told } from "../support/record-stage.ts";

export interface Death {
  readonly name: string;
  /** The request that brings it; undefined if it comes from outside. */
  readonly target?: string;
  readonly act?: (pid: number) => void;
  readonly fact: RegExp;
  readonly cause: RegExp;
  readonly reason: DeathRecord["end"]["reason"];
  /** Matches the stack; null if there is none. */
  readonly stack: RegExp | null;
}

const IN = (target: string): string => `in the request POST ${target.replace("?", "\\?")}`;
const FILE = "records/deaths\\.mjs:\\d+:\\d+";

export function terminate(pid: number): void {
  process.kill(pid, "SIGTERM");
}

export const DEATHS: readonly Death[] = [
  {
    name: "throw",
    target: "/throw?order=1",
    fact: /crashed on an uncaught exception: TypeError: no such order\.$/,
    cause: new RegExp(`the error, at .*inTimer \\(.*${FILE}\\), ${IN("/throw?order=1")}\\.$`),
    reason: "crash",
    stack: /inTimer/,
  },
  {
    name: "unhandled rejection",
    target: "/reject",
    fact: /crashed on an unhandled rejection: RangeError: nobody waits\.$/,
    cause: new RegExp(`the error, at rejectSoon \\(.*${FILE}\\), ${IN("/reject")}\\.$`),
    reason: "crash",
    stack: /rejectSoon/,
  },
  ...[0, 7].map((code) => ({
    name: `exit(${code})`,
    target: `/exit${code}`,
    fact: new RegExp(`was ended by its app, which called process\\.exit\\(${code}\\)\\.$`),
    cause: new RegExp(`the call, at .*${FILE}\\), ${IN(`/exit${code}`)}\\.$`),
    reason: "crash" as const,
    stack: /deaths\.mjs/,
  })),
  {
    name: "SIGKILL from outside",
    act: (pid) => process.kill(pid, "SIGKILL"),
    fact: /was killed by SIGKILL, which tsgun did not send\.$/,
    cause: /a person or a program outside; the kernel counted no out-of-memory kill/,
    reason: "killed",
    stack: null,
  },
  {
    name: "SIGTERM from outside",
    act: terminate,
    fact: /was told to stop by SIGTERM from outside, and exited with code 0\.$/,
    cause: /signals a worker, not the server/,
    reason: "killed",
    stack: null,
  },
  {
    name: "SIGSEGV of its own",
    target: "/segv",
    fact: /was ended by SIGSEGV, which its own code sent\.$/,
    cause: new RegExp(`the call process\\.kill\\(process\\.pid, "SIGSEGV"\\), at .*${FILE}`),
    reason: "crash",
    stack: /deaths\.mjs/,
  },
  {
    name: "SIGSEGV from outside, which looks like a fault",
    act: (pid) => process.kill(pid, "SIGSEGV"),
    fact: /crashed in native code \(SIGSEGV\): it accessed memory that is not its own\.$/,
    cause: /a native module, or a fault of Node itself\.$/,
    reason: "crash",
    stack: null,
  },
  {
    name: "a real memory fault",
    target: "/fault",
    fact: /crashed in native code \(SIGSEGV\): it accessed memory that is not its own\.$/,
    cause: /the request POST \/fault, which was in flight\.$/,
    reason: "crash",
    stack: null,
  },
  {
    name: "abort",
    target: "/abort",
    fact: /was ended by SIGABRT, which its own code sent\.$/,
    cause: new RegExp(`the call process\\.abort\\(\\), at .*${FILE}`),
    reason: "crash",
    stack: /deaths\.mjs/,
  },
  {
    name: "blocked in JavaScript",
    target: "/spin",
    fact: /was killed by tsgun \(--timeout\): its event loop was blocked in JavaScript for more than 3s\.$/,
    cause: new RegExp(`the code at spin \\(.*${FILE}\\), ${IN("/spin")}\\.$`),
    reason: "stuck",
    stack: /at spin \(/,
  },
  {
    name: "blocked by a child process",
    target: "/exec",
    fact: /was killed by tsgun \(--timeout\): its event loop was blocked in native code for more than 3s\.$/,
    cause: new RegExp(`waits for the child process \\d+: .*sleep 120, ${IN("/exec")}\\.$`),
    reason: "stuck",
    stack: null,
  },
  {
    name: "blocked in native code",
    target: "/pbkdf2",
    fact: /was killed by tsgun \(--timeout\): its event loop was blocked in native code for more than 3s\.$/,
    cause: new RegExp(`a synchronous native call \\(crypto, .*\\), ${IN("/pbkdf2")}\\.$`),
    reason: "stuck",
    stack: null,
  },
  {
    name: "stopped",
    act: (pid) => process.kill(pid, "SIGSTOP"),
    fact: /was killed by tsgun \(--timeout\): its process was stopped for more than 3s\.$/,
    cause: /a SIGSTOP from outside/,
    reason: "stuck",
    stack: null,
  },
];

export const HEAP: Death = {
  name: "out of V8 heap",
  target: "/heap",
  fact: /ran out of V8 heap, with \d+ MB in use\.$/,
  cause: /old space held \d+ MB; the request POST \/heap, which was in flight\.$/,
  reason: "heap_oom",
  stack: null,
};

/** Checks the story and the record of a worker that has died so. */
export function checkStory({ lines, record }: Told, death: Death, pid: number): void {
  const [first = "", second = "", third = ""] = lines;
  assert.ok(first.startsWith(`Worker ${pid} of shop `), first);
  assert.match(first, death.fact);
  assert.match(second, /^Likely cause: /);
  assert.match(second, death.cause);
  assert.match(third, /^What to do: /);
  assert.equal(record.end.reason, death.reason);
  assert.equal(record.end.isProblem, true);
  const stack = record.error?.stack ?? (record.stall?.stack.join("\n") || null);
  if (death.stack === null) assert.equal(stack, null);
  else assert.match(stack ?? "", death.stack);
  if (death.target === undefined) return;
  const targets = record.requestsInFlight.map(({ method, target }) => `${method} ${target}`);
  assert.deepEqual(targets, [`POST ${death.target}`]);
}
