/** A process that watches its own main loop, started from test/fixtures/watchdog, and its output. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { parseStallReport, type StallReport } from "../../src/ipc/stall-report.ts";

const FIXTURE = join(import.meta.dirname, "..", "fixtures", "watchdog", "blocked.ts");
const LOADER = ["--import", "@oxc-node/core/register"];
const DEADLINE_MS = 20_000;

/** Starts its arguments as a child with the same streams and waits, like an arbiter that may be killed. */
const PARENT = `
  const { spawn } = require("node:child_process");
  spawn(process.execPath, process.argv.slice(1), { stdio: "inherit" });
`;

export interface WatchedOptions {
  /** Merged into the fixture's `startWatchdog` options. */
  watchdog?: object;
  execArgv?: string[];
  /** The fixture's loop spins until this file is there, or its time is over. */
  stopFile?: string;
  /** Puts a process between the test and the fixture. */
  underParent?: boolean;
}

export class WatchedProcess {
  readonly process: ChildProcessByStdio<Writable, Readable, Readable>;
  stdout = "";
  stderr = "";
  closed = false;

  constructor(way: string, ms: number, options: WatchedOptions = {}) {
    const child = [...LOADER, FIXTURE, way, String(ms), JSON.stringify(options.watchdog ?? {})];
    const args = options.underParent === true ? ["-e", PARENT, "--", ...child] : child;
    this.process = spawn(process.execPath, [...(options.execArgv ?? []), ...args], {
      stdio: "pipe",
      env: { ...process.env, STOP_FILE: options.stopFile ?? "" },
    });
    this.process.stdout.on("data", (chunk) => {
      this.stdout += chunk;
    });
    this.process.stderr.on("data", (chunk) => {
      this.stderr += chunk;
    });
    // Comes when every process that holds the streams has gone, not only the first.
    this.process.on("close", () => {
      this.closed = true;
    });
  }

  get reports(): StallReport[] {
    return this.stdout.split("\n").flatMap((line) => parseStallReport(line) ?? []);
  }

  /** Waits until `found` returns something; fails with the whole output of the process. */
  async until<T>(what: string, found: () => T | undefined | false): Promise<T> {
    const deadline = Date.now() + DEADLINE_MS;
    for (;;) {
      const value = found();
      if (value !== undefined && value !== false) return value;
      if (Date.now() > deadline) {
        throw new Error(`waited for ${what}\n--- stdout\n${this.stdout}\n--- stderr\n${this.stderr}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  report(kind: StallReport["kind"]): Promise<StallReport> {
    return this.until(`a report "${kind}"`, () => this.reports.find((report) => report.kind === kind));
  }

  ready(): Promise<boolean> {
    return this.until("the watchdog to be ready", () => this.stderr.includes("ready true"));
  }

  done(): Promise<boolean> {
    return this.until("the fixture to be done", () => this.stderr.includes("done\n"));
  }

  /** Lets the process end by itself and waits for it. */
  async end(): Promise<void> {
    this.process.stdin.end();
    await this.until("the process to end", () => this.closed);
  }

  /** For `t.after`: nothing stays behind, whatever failed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.closed) return;
    this.process.kill("SIGKILL");
    this.process.stdin.destroy();
    await this.until("the killed process to end", () => this.closed);
  }
}
