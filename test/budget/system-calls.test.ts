/** The system calls of a request, and of a second without any, against the budgets. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { temporaryFolder, until } from "../support/command.ts";
import { otherNodes } from "../support/other-nodes.ts";
import { IDLE_CALLS, ROWS } from "./budgets.ts";
import { send, startRow } from "./requests.ts";

const HINT = "strace cannot trace here: install it (apt-get install strace), and allow ptrace";
const WARM_UP = 300;
const REQUESTS = 500;
/** An idle server is watched this often for that long. */
const IDLE_WINDOWS = 5;
const IDLE_MS = 3000;

/** A poll for events that found none: a wake-up at rest; under load it tells only how fast the client is. */
const EMPTY_POLL = /^epoll_p?wait2?\(.* = 0$/;

/** Calls by which V8 manages its memory and its threads, at times of its own. */
const OF_V8 = new Set(["brk", "futex", "madvise", "mmap", "munmap", "mprotect"]);

/** Counts the system calls of each thread of a command: strace writes a line for each into a file of its own. */
class Calls {
  readonly prefix: readonly string[];
  readonly #base: string;

  constructor(context: TestContext) {
    this.#base = join(temporaryFolder(context), "calls");
    // With -D the command is our child, as without strace, and not strace.
    this.prefix = ["strace", "-D", "-qqq", "-ff", "-s", "0", "-e", "signal=none", "-o", this.#base];
  }

  /** Calls of one thread so far, by name. */
  of(thread: number): Map<string, number> {
    const counts = new Map<string, number>();
    for (const line of readFileSync(`${this.#base}.${thread}`, "latin1").split("\n")) {
      const name = EMPTY_POLL.test(line) ? "empty poll" : /^(\w+)\(/.exec(line)?.[1];
      if (name !== undefined && !OF_V8.has(name)) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return counts;
  }

  /** Calls of all threads of a process so far. */
  ofAll(pid: number): Map<string, number> {
    const all = new Map<string, number>();
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      for (const [name, count] of this.of(Number(thread))) all.set(name, (all.get(name) ?? 0) + count);
    }
    return all;
  }

  /** Waits until the thread waits for events: all that it has done is written then. */
  async rest(thread: number): Promise<void> {
    await until("the thread waits for events", () =>
      /epoll_p?wait2?\([^)]*$/.test(readFileSync(`${this.#base}.${thread}`, "latin1").trimEnd()),
    );
  }
}

function total(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

function difference(
  after: ReadonlyMap<string, number>,
  before: ReadonlyMap<string, number>,
): Map<string, number> {
  return new Map([...after].map(([name, count]) => [name, count - (before.get(name) ?? 0)]));
}

/** The calls by name, each divided by `units`. */
function describe(counts: ReadonlyMap<string, number>, units: number): string {
  const each = [...counts].map(([name, count]) => [name, (count / units).toFixed(2)] as const);
  return each
    .filter(([, figure]) => figure !== "0.00")
    .map(([name, figure]) => `${name} ${figure}`)
    .join(", ");
}

/** Whether system calls can be counted here; a reason to skip otherwise, and on CI a failure. */
function skipReason(): string | false {
  if (process.platform !== "linux") return "strace counts system calls on Linux alone";
  if (spawnSync("strace", ["-qqq", "-o", "/dev/null", "true"]).status === 0) return false;
  if (process.env.CI === "true") throw new Error(HINT);
  return HINT;
}

const skip = skipReason();

for (const node of [process.execPath, ...otherNodes]) {
  for (const row of ROWS) {
    test(`${row.name}: at most ${row.calls} system calls, ${node}`, { skip }, async (context) => {
      const calls = new Calls(context);
      const { worker, port } = await startRow(context, row, { node, prefix: calls.prefix });
      await send(port, row, WARM_UP);
      await calls.rest(worker);
      const before = calls.of(worker);
      await send(port, row, REQUESTS);
      await calls.rest(worker);
      const made = difference(calls.of(worker), before);
      made.delete("empty poll");
      const each = total(made) / REQUESTS;
      const list = describe(made, REQUESTS);
      context.diagnostic(`${row.name}: ${each.toFixed(2)} system calls a request: ${list}`);
      assert.ok(each >= 1 && each <= row.calls, `${each} calls, of ${row.calls}: ${list}`);
    });
  }

  test(`an idle server makes few system calls, ${node}`, { skip }, async (context) => {
    const calls = new Calls(context);
    const row = ROWS[0] as (typeof ROWS)[number];
    const { command, worker, port } = await startRow(context, row, { node, prefix: calls.prefix });
    await send(port, row, WARM_UP);
    for (const [name, pid] of Object.entries({ arbiter: command.pid, worker })) {
      // The quietest window counts: in the others V8 may still give back memory.
      const windows: { each: number; list: string }[] = [];
      while (windows.length < IDLE_WINDOWS) {
        const before = calls.ofAll(pid);
        const startedAt = performance.now();
        await pause(IDLE_MS);
        const made = difference(calls.ofAll(pid), before);
        const seconds = (performance.now() - startedAt) / 1000;
        windows.push({ each: total(made) / seconds, list: describe(made, seconds) });
      }
      const { each, list } = windows.reduce((least, other) => (other.each < least.each ? other : least));
      context.diagnostic(`idle ${name}: ${each.toFixed(1)} system calls a second: ${list}`);
      const budget = IDLE_CALLS[name as keyof typeof IDLE_CALLS];
      assert.ok(each <= budget, `the ${name} makes ${each} calls a second, of ${budget}: ${list}`);
    }
  });
}
