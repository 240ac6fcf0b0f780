/** The faults of a run: begins each, waits for its end, and keeps what was killed and answered. */
import { setTimeout as pause } from "node:timers/promises";
import { requestControl } from "../../src/control/control-client.ts";
import { leaveDescriptors, limitDescriptors } from "../support/descriptor-limit.ts";
import { PERFORM } from "./performing.ts";
import type { Action, FaultName } from "./plan.ts";
import type { Site } from "./site.ts";
import { openTo } from "./ways.ts";

/** A worker needs so many for itself; the rest is for connections. */
const DESCRIPTORS_LEFT = 12;
const DESCRIPTOR_LIMIT = 4096;
/** The limit for the answer to a request that makes its worker do something, which it may not survive. */
const REQUEST_MS = 60_000;
/** A reload or an upgrade that is to fail has failed by then, on a busy machine too. */
const FAILED_WITHIN_MS = 40_000;

export class Faults {
  readonly site: Site;
  /** Answers to commands that no fault explains. */
  readonly wrong: string[] = [];
  /** Pids that were killed here, and why. */
  readonly killed = new Map<number, string>();
  /** Requests that were sent here. */
  sent = 0;
  commands = 0;
  readonly counts = new Map<FaultName, number>();
  readonly #running = new Set<Promise<unknown>>();
  /** Faults that change the same files wait for each other. */
  #files: Promise<unknown> = Promise.resolve();
  #stopped = new Set<number>();
  #limited = new Set<number>();

  constructor(site: Site) {
    this.site = site;
  }

  /** Begins a fault; it may go on for a while. */
  begin(action: Action): void {
    this.counts.set(action.fault, (this.counts.get(action.fault) ?? 0) + 1);
    const done = PERFORM[action.fault](this, action);
    if (done === undefined) return;
    const running = done.catch((error: Error) => this.wrong.push(`${action.fault}: ${error.stack}`));
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
  }

  /** Waits until the faults are over, and what they have stopped or limited goes on. */
  async end(): Promise<void> {
    for (const pid of this.#stopped) this.kill(pid, "SIGCONT");
    this.#stopped.clear();
    await Promise.all(this.#running);
    for (const pid of this.#limited) ifThere(pid, () => limitDescriptors(pid, DESCRIPTOR_LIMIT));
    this.#limited.clear();
  }

  /** A worker that lives, chosen by the plan. */
  worker({ pick }: Action): number | undefined {
    this.site.census.look();
    const workers = this.site.census.having("worker");
    return workers[pick % workers.length]?.pid;
  }

  kill(pid: number | undefined, signal: NodeJS.Signals): void {
    if (pid === undefined || !isThere(pid)) return;
    if (/KILL|SEGV|ABRT/.test(signal)) this.killed.set(pid, signal);
    ifThere(pid, () => process.kill(pid, signal));
  }

  async signal(signal: NodeJS.Signals): Promise<number | undefined> {
    const arbiter = await this.site.arbiter();
    this.kill(arbiter, signal);
    return arbiter;
  }

  /** A request that makes its worker do something. */
  async request(path: string): Promise<void> {
    this.sent += 1;
    const { tcp } = this.site.targets;
    const tls = this.site.way.tls ? this.site.certificates.clients["1.3"] : undefined;
    const { socket } = openTo({ ...tcp, tls });
    socket.on("error", () => {});
    socket.write(`GET ${path} HTTP/1.1\r\nHost: load.test\r\nConnection: close\r\n\r\n`);
    socket.setTimeout(REQUEST_MS, () => socket.destroy());
    socket.resume();
    await new Promise((resolve) => socket.once("close", resolve));
  }

  /** A command whose outcome may be any that the docs have. */
  async command(method: "GET" | "POST", path: string, body?: unknown): Promise<number | undefined> {
    this.commands += 1;
    try {
      const { status } = await requestControl(this.site.controlSocket, method, path, body, 60_000);
      const isKnown =
        status === 200 || status === 404 || status === 409 || (status === 503 && /health|workers/.test(path));
      if (!isKnown) this.wrong.push(`${method} ${path} was answered with ${status}`);
      return status;
    } catch (error) {
      // The arbiter was killed, or left for its successor with the request; the next rest shows whether it is there.
      if (!/cannot reach/.test(String(error))) this.wrong.push(`${method} ${path}: ${error}`);
      return undefined;
    }
  }

  stop(pid: number | undefined, milliseconds: number): Promise<void> | undefined {
    if (pid === undefined) return undefined;
    this.#stopped.add(pid);
    this.kill(pid, "SIGSTOP");
    return pause(milliseconds).then(() => {
      if (this.#stopped.delete(pid)) this.kill(pid, "SIGCONT");
    });
  }

  stopForGood(pid: number | undefined): undefined {
    if (pid === undefined) return;
    this.#stopped.add(pid);
    this.kill(pid, "SIGSTOP");
  }

  limit(pid: number | undefined): undefined {
    if (pid === undefined) return;
    this.#limited.add(pid);
    ifThere(pid, () => leaveDescriptors(pid, DESCRIPTORS_LEFT));
  }

  /** Changes files of the site, and mends them afterwards. */
  withFiles(change: () => void, during: () => Promise<unknown>, mend: () => void): Promise<void> {
    const run = async (): Promise<void> => {
      change();
      try {
        await during();
      } finally {
        mend();
      }
    };
    const done = this.#files.then(run);
    this.#files = done.catch(() => {});
    return done;
  }

  /** A reload that is to fail: waits for its outcome. */
  badReload(change: () => void, mend: () => void): Promise<void> {
    return this.withFiles(change, () => this.#failing("/reload"), mend);
  }

  badUpgrade(change: () => void, mend: () => void): Promise<void> {
    return this.withFiles(change, () => this.#failing("/upgrade"), mend);
  }

  /** Reloads are merged, so one that comes while another goes on may be part of a good one. */
  async #failing(path: string): Promise<void> {
    await Promise.race([this.command("POST", path), pause(FAILED_WITHIN_MS)]);
  }
}

/** Does something to a process, which may end meanwhile. */
function ifThere(pid: number, act: () => void): void {
  try {
    if (isThere(pid)) act();
  } catch (error) {
    if (isThere(pid)) throw error;
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
