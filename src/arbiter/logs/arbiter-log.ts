/** The arbiter's log lines, with gunicorn's wording where gunicorn has the line. */
import { packageVersion } from "../../config/version.ts";
import type { BootFailure } from "../../ipc/messages.ts";
import type { HeldRequest } from "../../ipc/request-report.ts";
import { describeHeld, describeStall, printable, type StallReport } from "../../ipc/stall-report.ts";
import type { ErrorLog, LogFields } from "../../log/error-log.ts";
import type { ProcessState } from "../../system/process-state.ts";
import type { Ending, Signal } from "../event.ts";
import { type Desired, type Stop, servingGeneration } from "../pool/desired.ts";
import type { Limits } from "../pool/limits.ts";
import { LOSSES } from "../pool/readiness.ts";
import type { KillReason } from "../pool/reconcile.ts";
import type { WorkerRecord } from "../pool/roster.ts";
import type { FileLoss, Listener } from "../sockets/bind.ts";
import { CrashLog, type LoggedDeath } from "./crash-log.ts";

/** A worker whose process has ended. */
export interface WorkerExit {
  readonly pid: number | undefined;
  /** Its last record. */
  readonly record: WorkerRecord;
  readonly ending: Ending;
  /** How it ended, as part of a sentence. */
  readonly how: string;
  /** Requests lost with it, as far as known. */
  readonly requests: readonly HeldRequest[];
}

/** Whether a stopping worker ended the way it was ordered to. */
function isAsked(worker: WorkerRecord, ending: Ending): boolean {
  return worker.ordered === "kill" || worker.failure !== undefined || ending.code === 0;
}

/** Log fields for an entry about a worker, named as in the worker's own entries. */
function about(pid: number | undefined, { slot, generation }: WorkerRecord): LogFields {
  return { slot, generation, workerPid: pid };
}

/** Starting is retried every second: log the same reason at most once in this many milliseconds. */
const UNSTARTED_NEWS = 60_000;

export class ArbiterLog {
  readonly #log: ErrorLog;
  readonly #crashes: CrashLog;
  /** The last logged reason why a worker could not be started, and when it was logged. */
  #unstarted = { reason: "", at: Number.NEGATIVE_INFINITY };

  constructor(log: ErrorLog) {
    this.#log = log;
    this.#crashes = new CrashLog(log);
  }

  started(listeners: readonly Listener[]): void {
    const urls = listeners.map((listener) => listener.url).join(",");
    this.#log.info(`Starting tsgun ${packageVersion()}`);
    this.#log.info(`Listening at: ${urls} (${process.pid})`);
    if (listeners.some(({ activated }) => activated))
      this.#log.info("The sockets are systemd's: bind is not looked at");
  }

  socketLost(url: string, loss: FileLoss): void {
    const remedy = {
      removed: "reload (HUP) or upgrade (USR2) to bind it again",
      "another socket": "stop that server, or remove the file, and reload (HUP)",
      "no socket": "remove that, and reload (HUP)",
    };
    this.#log.error(`No client reaches ${url} any more, ${LOSSES[loss]}: ${remedy[loss]}`);
  }

  socketBack(url: string): void {
    this.#log.info(`Clients reach ${url} again`);
  }

  stopped(stop: Stop | undefined): void {
    this.#log.info("Shutting down: Master");
    if (stop?.reason !== undefined) this.#log.error(`Reason: ${stop.reason}`);
  }

  drainDelayed(milliseconds: number): void {
    this.#log.info(`Serving on for ${milliseconds / 1000}s, not ready any more, before the drain`);
  }

  signalled(signal: Signal): void {
    this.#log.info(`Handling signal: ${signal.slice(3).toLowerCase()}`);
  }

  terminalHungUp(): void {
    this.#log.info("The terminal has hung up: the server stops");
  }

  booting(pid: number | undefined, worker: WorkerRecord | undefined, now: number): void {
    const line = `Booting worker with pid: ${pid}`;
    const fields = worker === undefined ? {} : about(pid, worker);
    if (this.#crashes.isFlood(now)) this.#log.debug(line, fields);
    else this.#log.info(line, fields);
  }

  /** The first worker of a generation is ready. */
  serving(by: string): void {
    this.#log.info(`Using worker: ${by}`);
  }

  /** A worker of the serving generation could not be started. */
  unstarted({ message }: BootFailure, now: number): void {
    const { reason, at } = this.#unstarted;
    if (message === reason && now - at < UNSTARTED_NEWS) return;
    this.#unstarted = { reason: message, at: now };
    const what = message.charAt(0).toUpperCase() + message.slice(1);
    this.#log.error(`${what}; it is tried again every second`);
  }

  /** A replacement for a serving worker could not boot. */
  bootFailed(
    pid: number | undefined,
    worker: WorkerRecord,
    failure: BootFailure,
    desired: Desired,
    now: number,
  ): void {
    const what = `Worker (pid: ${pid}) failed to boot: ${failure.message}`;
    this.#died(worker, { what, detail: failure.stack, fields: about(pid, worker) }, desired, now);
  }

  /** `state` is the kernel's state of the silent worker's process. */
  silent(pid: number | undefined, worker: WorkerRecord, state: ProcessState): void {
    const time = `for more than ${worker.maxSilence / 1000}s`;
    const what = {
      stopped: `it has been stopped (by a SIGSTOP, say) ${time}`,
      uninterruptible: `it has waited for the kernel (a disk, a network file system) ${time}`,
    };
    const why = what[state as keyof typeof what] ?? `its event loop has not turned ${time}`;
    this.#log.critical(`WORKER TIMEOUT (pid: ${pid}): ${why}: it is killed`, undefined, about(pid, worker));
  }

  stall(report: StallReport): void {
    const [headline = "", ...details] = describeStall(report);
    const text = headline.replace(/^worker/, "Worker");
    const rest = details.length === 0 ? undefined : details.join("\n");
    const fields = { workerPid: report.pid };
    if (report.kind === "stuck") this.#log.error(text, rest, fields);
    else this.#log.warning(text, rest, fields);
  }

  /** A draining worker has not finished in time. */
  overdue(pid: number | undefined, worker: WorkerRecord | undefined): void {
    const fields = worker === undefined ? {} : about(pid, worker);
    const what = `Worker (pid: ${pid}) has not finished within --graceful-timeout`;
    this.#log.warning(`${what}: what it still has open is cut, and its app shut down`, undefined, fields);
  }

  killing(
    pid: number | undefined,
    worker: WorkerRecord | undefined,
    why: Exclude<KillReason, "silence">,
    limits: Limits,
  ): void {
    const reasons = {
      "boot-timeout": `was not ready within ${limits.boot / 1000}s`,
      "stop-timeout": "did not stop in time",
      stop: "is not waited for",
    };
    const fields = worker === undefined ? {} : about(pid, worker);
    // Without a pid the process has not been started yet.
    const who = pid === undefined ? "Worker (held up by the hook preFork)" : `Worker (pid: ${pid})`;
    this.#log.warning(`${who} ${reasons[why]}: it is killed`, undefined, fields);
  }

  /** A worker's process has ended; `desired` is the state after it. */
  exited(worker: WorkerExit, desired: Desired, now: number): void {
    const { pid, record, ending, how, requests } = worker;
    const what = `Worker (pid: ${pid}) ${how}`;
    const fields = about(pid, record);
    const detail = describeHeld(requests, Date.now()).join("\n") || undefined;
    if (record.state !== "draining") this.#died(record, { what, detail, fields }, desired, now);
    else if (isAsked(record, ending)) this.#log.info(`Worker exiting (pid: ${pid})`, fields);
    else this.#log.warning(`${what} while it was stopping`, detail, fields);
  }

  /** Workers die repeatedly with the same requests in flight. */
  suspected(requests: readonly string[], deaths: number): void {
    const names = printable(requests.join(" and "));
    const were = requests.length === 1 ? "was" : "were";
    this.#log.warning(
      `Likely cause of the crashes: ${names} ${were} in flight in each of the last ${deaths} deaths of workers; ` +
        "until its handler is mended, have the proxy in front refuse it",
    );
  }

  #died(worker: WorkerRecord, death: LoggedDeath, desired: Desired, now: number): void {
    if (worker.generation === servingGeneration(desired)) this.#crashes.died(worker, death, desired, now);
    else this.#log.error(death.what, death.detail, death.fields);
  }

  /** Another worker was requested while this arbiter drains for its successor. */
  noWorkerWhileLeaving(successor: number | undefined): void {
    this.#log.warning(`No worker is added: this arbiter drains for the new one (pid: ${successor})`);
  }

  /** Another worker was requested at the maximum number of workers. */
  noWorkerAtLimit(target: number): void {
    this.#log.warning(`No worker is added: a server has at most ${target}`);
  }

  predecessorGone(pid: number | undefined): void {
    this.#log.info(`The arbiter before this one (pid: ${pid}) is gone`);
  }

  /** @param changed the changed files that caused the reload, if any */
  reloading(generation: number, changed: readonly string[]): void {
    const facts = { generation };
    const [first, second] = changed;
    if (first === undefined) this.#log.info(`Reloading: generation ${generation}`, facts);
    else if (second === undefined)
      this.#log.info(`Reloading: ${first} changed: generation ${generation}`, facts);
    else {
      const others = `${changed.length - 1} other${changed.length > 2 ? "s" : ""}`;
      this.#log.info(`Reloading: ${first} and ${others} changed: generation ${generation}`, facts);
    }
  }

  /** There is no working app; the server waits for a fixed one. */
  broken(failure: BootFailure): void {
    this.#log.error(failure.message, failure.stack);
  }

  waiting(): void {
    this.#log.info("Waiting until a file changes; what is asked meanwhile is answered with 503");
  }

  /** `detail` is the app's stack, if the app is at fault. */
  reloadFailed(established: number, why: string, detail?: string): void {
    this.#log.error(`Reload failed, generation ${established} stays: ${why}`, detail);
  }

  established(generation: number, workers: number): void {
    const count = workers === 1 ? "1 worker" : `${workers} workers`;
    this.#log.info(`Ready: generation ${generation} serves with ${count}`, { generation });
  }

  /** At the first boot log only the stack here: the message follows last, as the reason for the exit. */
  abandoned(failure: BootFailure, established: number): void {
    if (established !== 0) {
      this.#log.error(`Reload failed, generation ${established} stays: ${failure.message}`, failure.stack);
    } else if (failure.stack !== undefined) {
      this.#log.error("Exception in worker process", failure.stack);
    }
  }
}
