/** How each fault of the plan is done to the server. What a fault breaks it mends again, or a reload later does. */
import { closeSync, openSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { requestControl } from "../../src/control/control-client.ts";
import { ask } from "../support/ask.ts";
import { leaveDescriptors, limitDescriptors } from "../support/descriptor-limit.ts";
import type { Action, FaultName } from "./plan.ts";
import type { Site } from "./site.ts";

/** A worker needs so many for itself; the rest is for connections. */
const DESCRIPTORS_LEFT = 12;
const DESCRIPTOR_LIMIT = 4096;
const LEAK_BYTES = 420_000_000;
/** A reload or an upgrade that is to fail has failed by then, on a busy machine too. */
const FAILED_WITHIN_MS = 40_000;

type Perform = (faults: Faults, action: Action) => Promise<unknown> | undefined;

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
    await ask({ ...this.site.targets.tcp, host: "127.0.0.1" }, path).catch(() => {});
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

const BROKEN_SOURCE = "export const app = {{\n";

const PERFORM: Readonly<Record<FaultName, Perform>> = {
  "kill-worker": (faults, action) => void faults.kill(faults.worker(action), action.way as NodeJS.Signals),
  "kill-all-workers": (faults) => {
    faults.site.census.look();
    for (const { pid } of faults.site.census.having("worker")) faults.kill(pid, "SIGKILL");
    return undefined;
  },
  "terminate-worker": (faults, action) => void faults.kill(faults.worker(action), "SIGTERM"),
  "stop-worker": (faults, action) => faults.stop(faults.worker(action), action.amount),
  "stop-worker-for-good": (faults, action) => faults.stopForGood(faults.worker(action)),
  "block-worker": (faults, { amount }) => faults.request(`/block?${amount}`),
  "block-worker-for-good": (faults) => faults.request("/block?0"),
  "leak-memory": (faults) => faults.request(`/leak?${LEAK_BYTES}`),
  "fill-heap": (faults) => faults.request("/fill"),
  "use-up-descriptors": (faults, action) => faults.limit(faults.worker(action)),
  "throw-uncaught": (faults) => faults.request("/throw"),
  "crash-at-boot": (faults, action) =>
    faults.withFiles(
      () => faults.site.setBoot("crash"),
      () => {
        faults.kill(faults.worker(action), "SIGKILL");
        return pause(action.amount);
      },
      () => faults.site.setBoot(""),
    ),
  "slow-boot": (faults, action) =>
    faults.withFiles(
      () => faults.site.setBoot(`slow ${action.amount}`),
      () => {
        faults.kill(faults.worker(action), "SIGKILL");
        return pause(action.amount);
      },
      () => faults.site.setBoot(""),
    ),
  "restart-worker": (faults, action) =>
    faults.command("POST", `/workers/${faults.worker(action) ?? 1}/restart`),
  reload: (faults) => faults.signal("SIGHUP"),
  "reload-with-syntax-error": (faults) =>
    faults.badReload(
      () => faults.site.setApp(BROKEN_SOURCE),
      () => faults.site.setApp(),
    ),
  "reload-that-throws": (faults) =>
    faults.badReload(
      () => faults.site.setBoot("throw"),
      () => faults.site.setBoot(""),
    ),
  "reload-without-end": (faults) =>
    faults.badReload(
      () => faults.site.setBoot("never"),
      () => faults.site.setBoot(""),
    ),
  "reload-with-broken-configuration": (faults) =>
    faults.badReload(
      () => faults.site.setConfiguration('{ "workers": '),
      () => faults.site.setConfiguration(),
    ),
  upgrade: (faults) => faults.signal("SIGUSR2"),
  "upgrade-that-fails": (faults) =>
    faults.badUpgrade(
      () => faults.site.setConfiguration('{ "wokers": 3 }'),
      () => faults.site.setConfiguration(),
    ),
  "upgrade-twice": async (faults) => {
    await faults.signal("SIGUSR2");
    await pause(50);
    await faults.signal("SIGUSR2");
  },
  "upgrade-during-reload": async (faults) => {
    await faults.signal("SIGHUP");
    await pause(100);
    await faults.signal("SIGUSR2");
  },
  "kill-new-arbiter": async (faults) => {
    const old = await faults.signal("SIGUSR2");
    await pause(300);
    faults.site.census.look();
    const successor = faults.site.census.living.find(
      ({ parent, role }) => parent === old && role === "arbiter",
    );
    for (const { pid } of faults.site.census.living.filter(({ parent }) => parent === successor?.pid))
      faults.killed.set(pid, "its arbiter was killed");
    faults.kill(successor?.pid, "SIGKILL");
  },
  "one-more-worker": (faults) => faults.signal("SIGTTIN"),
  "one-worker-less": (faults) => faults.signal("SIGTTOU"),
  scale: (faults, { amount }) => faults.command("POST", "/scale", { workers: amount }),
  "rotate-log": (faults) =>
    faults.withFiles(
      () => {
        renameSync(faults.site.logFile, faults.site.nextLogFile());
        closeSync(openSync(faults.site.logFile, "a"));
      },
      () => faults.signal("SIGUSR1"),
      () => {},
    ),
  "full-disk": (faults, { amount }) =>
    faults.withFiles(
      () => {
        renameSync(faults.site.logFile, faults.site.nextLogFile());
        symlinkSync("/dev/full", faults.site.logFile);
      },
      async () => {
        await faults.signal("SIGUSR1");
        await pause(amount);
      },
      () => {
        rmSync(faults.site.logFile, { force: true });
        // The next fault may rename the file, so it has to be there again, also while nobody opens it.
        closeSync(openSync(faults.site.logFile, "a"));
        void faults.command("POST", "/reopen");
      },
    ),
  "control-commands": async (faults, action) => {
    const pid = faults.worker(action) ?? 1;
    const reads = ["status", "workers", "stats", "history", "requests", "deaths", "listeners", "config"];
    const more = [
      "events",
      "logs",
      "health/live",
      "health/ready",
      "health/startup",
      `workers/${pid}/stack?wait=0`,
    ];
    await Promise.all([
      ...[...reads, ...more, `workers/${pid}/heap`].map((name) => faults.command("GET", `/${name}`)),
      faults.command("POST", `/workers/${pid}/profile`, { seconds: 1 }),
      faults.command("POST", "/reopen"),
      faults.command("POST", "/scale", { workers: 3 }),
    ]);
  },
  "clock-forward": (faults, { amount }) => void faults.site.moveClock(amount),
  "clock-back": (faults, { amount }) => void faults.site.moveClock(-amount),
  "kill-arbiter": (faults) => killArbiter(faults),
};

/** Kills all arbiters, as the kernel does when memory runs out, and starts the server again, as systemd does. */
async function killArbiter(faults: Faults): Promise<void> {
  const { census, gaps } = faults.site;
  census.look();
  const arbiters = census.having("arbiter");
  const gap = { from: Date.now(), to: Number.POSITIVE_INFINITY };
  gaps.push(gap);
  faults.site.isKilled = true;
  for (const { pid } of census.living) faults.killed.set(pid, "its arbiter was killed");
  for (const { pid } of arbiters) faults.kill(pid, "SIGKILL");
  await pause(100);
  await faults.site.run();
  faults.site.isKilled = false;
  gap.to = Date.now();
}
