/**
 * The built command, as a test uses it: started in its own folder and observed through conditions with deadlines. When
 * the test ends, the command and everything it started end too. A failed test prints the server's standard error.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

/** Where servers keep state by default, for all tests of this process: never in the user's own folders. */
const STATE = process.env.XDG_STATE_HOME ?? folderOfThisProcess("tsgun-state-");

/** Where servers can be found, for all tests of this process: no other test's `ps` or `top` asks them anything. */
const RUNTIME = folderOfThisProcess("tsgun-run-");

function folderOfThisProcess(prefix: string): string {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const ROOT = join(import.meta.dirname, "..", "..");
export const COMMAND = join(ROOT, "dist", "cli", "main.js");
export const FIXTURES = join(ROOT, "test", "fixtures");

/** The limit for a condition to come true; far more than any takes, also on a machine with ten times the work it can do. */
const DEADLINE_MS = 60_000;
const POLL_MS = 10;

/**
 * Waits until `condition` returns something else than undefined or false, and returns that.
 * An error that it throws counts as false; the last one is shown at the deadline.
 */
export async function until<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  deadline = DEADLINE_MS,
): Promise<T> {
  const end = performance.now() + deadline;
  let last: unknown;
  for (;;) {
    try {
      const result = await condition();
      if (result !== undefined && result !== false) return result;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) {
      throw new Error(`waited ${deadline} ms in vain until ${what}`, { cause: last });
    }
    await pause(POLL_MS);
  }
}

const cleanups = new WeakMap<TestContext, (() => unknown)[]>();

/**
 * Runs `step` when the test ends, the latest step first and all of them: a folder is removed after the processes that
 * write to it have ended. Node's own hooks run in the other order, and stop at one that fails.
 */
export function cleanUp(test: TestContext, step: () => unknown): void {
  const known = cleanups.get(test);
  if (known !== undefined) {
    known.push(step);
    return;
  }
  const steps = [step];
  cleanups.set(test, steps);
  test.after(async () => {
    const errors: unknown[] = [];
    for (const next of steps.reverse()) {
      try {
        await next();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  });
}

/** An empty folder that is removed with the test. Its path is short enough for Unix sockets. */
export function temporaryFolder(test: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "tsgun-"));
  cleanUp(test, () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface CommandOptions {
  /** The working folder. Default: the fixtures. */
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** The node to run it with. Default: the one that runs the test. */
  readonly node?: string;
  /** Words in front of the command: a program that becomes it, or runs it as its child. */
  readonly prefix?: readonly string[];
  /** The command's own file. Default: the built one. */
  readonly command?: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class RunningCommand {
  readonly process: ChildProcess;
  readonly exited: Promise<Exit>;
  exit: Exit | undefined;
  stdout = "";
  stderr = "";

  constructor(args: readonly string[], options: CommandOptions) {
    const [program = "", ...words] = [
      ...(options.prefix ?? []),
      options.node ?? process.execPath,
      options.command ?? COMMAND,
      ...args,
    ];
    this.process = spawn(program, words, {
      cwd: options.cwd ?? FIXTURES,
      env: { ...cleanEnvironment(), ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.process.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.exited = new Promise((resolve) => {
      this.process.once("close", (code, signal) => {
        this.exit = { code, signal };
        resolve(this.exit);
      });
    });
  }

  get pid(): number {
    return this.process.pid as number;
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  /** The lines of standard error that `pattern` matches. */
  lines(pattern: RegExp): string[] {
    return this.stderr.split("\n").filter((line) => pattern.test(line));
  }

  /** Waits for a line, or for the nth one, that matches. Fails at once when the command has ended without it. */
  async line(pattern: RegExp, nth = 1): Promise<string> {
    const outcome = await until(`line ${nth} of standard error matches ${pattern}`, () => {
      return this.lines(pattern)[nth - 1] ?? this.exit;
    });
    if (typeof outcome !== "string") assert.fail(`the command ended without ${pattern}:\n${this.stderr}`);
    return outcome;
  }

  /** Waits until generation `generation` serves with all its workers. */
  async ready(generation = 1): Promise<void> {
    await this.line(new RegExp(`Ready: generation ${generation} serves`));
  }

  /** The addresses it listens at, as its log names them. */
  async urls(): Promise<string[]> {
    const line = await this.line(/Listening at: /);
    return (/Listening at: (\S+) \(/.exec(line)?.[1] ?? "").split(",");
  }

  /** The port of the first TCP address. */
  async port(): Promise<number> {
    const url = (await this.urls()).find((candidate) => /^https?:/.test(candidate));
    assert.ok(url !== undefined, "it listens on no TCP port");
    return Number(new URL(url).port);
  }

  /** The process ids of the workers that exist now; after an upgrade, those of another arbiter. */
  workers(arbiter = this.pid): number[] {
    const arbiters = this.arbiters();
    // A process that has ended is not a worker, even if it has not been reaped yet.
    return childrenOf(arbiter).filter((pid) => !arbiters.includes(pid) && isAlive(pid));
  }

  /** The process ids of all arbiters there have been, the oldest first: each upgrade starts one. */
  arbiters(): number[] {
    const later = this.stderr.matchAll(/Upgrading: new arbiter with pid: (\d+)/g);
    return [this.pid, ...[...later].map((match) => Number(match[1]))];
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<Exit> {
    this.kill(signal);
    return await this.ended();
  }

  /** Waits for the end, no matter what brings it. */
  async ended(): Promise<Exit> {
    return await until("the command has ended", () => this.exit);
  }
}

/** The process ids of the children of a process. */
export function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return text === "" ? [] : text.split(" ").map(Number);
  } catch {
    return [];
  }
}

/** Pid, name and state of a process, for a failed test. */
function describeProcess(pid: number): string {
  try {
    return /^\d+ \(.*\) \S/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[0] ?? String(pid);
  } catch {
    return `${pid} (gone)`;
  }
}

/** Whether a process is there (a zombie is not). */
export function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

/** Returns a function that says whether the process is blocked: it has since used more CPU time than any request takes. */
export function watchBlocked(pid: number): () => boolean {
  const ticks = processorTicks(pid) + 50;
  return () => processorTicks(pid) > ticks;
}

/** Processor time that a process has used, in ticks of 10 ms. */
function processorTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** Nothing that the environment of the test run sets may reach the server. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      !/^(TSGUN_|WEB_CONCURRENCY$|PORT$|NODE_OPTIONS$|NODE_TEST_CONTEXT$|NODE_CHANNEL|PWD$)/.test(name),
  );
  return { ...Object.fromEntries(kept), XDG_STATE_HOME: STATE, XDG_RUNTIME_DIR: RUNTIME };
}

function killIfAlive(pid: number, signal: NodeJS.Signals): void {
  try {
    if (isAlive(pid)) process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

/** Kills what is left of a command and waits for it, with a deadline: a test that hangs reports nothing. */
async function killAll(command: RunningCommand): Promise<void> {
  const [, ...later] = command.arbiters();
  // A stopped arbiter starts no worker that is missing from the list.
  command.kill("SIGSTOP");
  for (const pid of later) killIfAlive(pid, "SIGSTOP");
  const workers = command.arbiters().flatMap((pid) => command.workers(pid));
  command.kill("SIGKILL");
  for (const pid of [...later, ...workers]) killIfAlive(pid, "SIGKILL");
  try {
    await until("all its processes have ended", () => command.exit && !workers.some(isAlive));
  } finally {
    command.process.stdout?.destroy();
    command.process.stderr?.destroy();
    command.process.unref();
  }
}

/** Starts the command. It and its workers end with the test; a failed test prints what it wrote. */
export function startCommand(
  test: TestContext,
  args: readonly string[],
  options: CommandOptions = {},
): RunningCommand {
  const command = new RunningCommand(args, options);
  cleanUp(test, async () => {
    const passed = (test as TestContext & { passed?: boolean }).passed;
    if (passed === false) {
      console.error(`--- tsgun ${args.join(" ")}: standard error\n${command.stderr}---`);
      console.error(`its children: ${command.workers().map(describeProcess).join("; ") || "none"}`);
    }
    await killAll(command);
  });
  return command;
}
