/** The arbiter's log lines, with gunicorn's wording where gunicorn has the line. */
import { nodeEnvOf, SHOWN_STACKS, settingsForTheApp } from "../../config/app-environment.ts";
import type { Config } from "../../config/settings.ts";
import { packageVersion } from "../../config/version.ts";
import { describeWithoutEffect, settingsWithoutEffect } from "../../config/without-effect.ts";
import { formatWorkerAddresses } from "../../config/worker-addresses.ts";
import type { BootFailure } from "../../ipc/messages.ts";
import type { RequestInFlight } from "../../ipc/request-report.ts";
import { describeInFlight, describeStall, printable, type StallReport } from "../../ipc/stall-report.ts";
import type { ErrorLog, LogFields } from "../../log/error-log.ts";
import type { ExitReason } from "../../scoreboard/metrics.ts";
import { workerCount } from "../../system/cpu-limit.ts";
import { missingForExaminations } from "../../system/node-permissions.ts";
import type { ProcessState } from "../../system/process-state.ts";
import type { Ending, Signal } from "../event.ts";
import { type Desired, type Stop, servingGeneration } from "../pool/desired.ts";
import type { Limits } from "../pool/limits.ts";
import { LOSS_TEXTS } from "../pool/readiness.ts";
import type { KillReason, WorkerRecord } from "../pool/roster.ts";
import type { FileLoss, Listener } from "../sockets/bind.ts";
import { endedAsOrdered } from "../stats/exit-reason.ts";
import { describeHeapLimit } from "../workers/heap-limit.ts";
import { CrashLog, type LoggedDeath } from "./crash-log.ts";
import type { ServerEvents } from "./server-events.ts";

/** A worker whose process has ended. */
export interface WorkerExit {
  readonly pid: number | undefined;
  /** Its last record. */
  readonly record: WorkerRecord;
  readonly ending: Ending;
  /** How it ended, as part of a sentence. */
  readonly how: string;
  /** Requests lost with it, as far as known. */
  readonly requests: readonly RequestInFlight[];
  /** The one reason that counts; undefined as long as it is not known. */
  readonly reason?: ExitReason | undefined;
  /** It was not asked for, or not as it was asked for. */
  readonly isProblem: boolean;
  /** The command that says more; undefined if nothing is kept. */
  readonly hint?: string | undefined;
}

/** Log fields for an entry about a worker, named as in the worker's own entries. */
function workerFields(pid: number | undefined, { slot, generation }: WorkerRecord): LogFields {
  return { slot, generation, workerPid: pid };
}

/** The changed files that caused a reload, as the beginning of a sentence. */
function changeText([first, ...others]: readonly string[]): string {
  if (first === undefined) return "";
  if (others.length === 0) return `${first} changed: `;
  return `${first} and ${others.length} other${others.length > 1 ? "s" : ""} changed: `;
}

/** An event is one line: a headline that leads to the stack below it gets the first frame. */
function withFrame(headline: string, frame: string | undefined): string {
  if (frame === undefined || !/ (?:at|from)$/.test(headline)) return headline;
  return `${headline} ${frame.trim().replace(/^at /, "")}`;
}

/** A start is retried every second: log the same reason at most this often. */
const SAME_START_ERROR_INTERVAL_MS = 60_000;

export class ArbiterLog {
  readonly #log: ErrorLog;
  readonly #crashes: CrashLog;
  readonly #events: ServerEvents;
  /** The last logged reason why a worker could not be started. */
  #startError = { reason: "", loggedAt: Number.NEGATIVE_INFINITY };

  /** @param events is told what the lines say */
  constructor(log: ErrorLog, events: ServerEvents) {
    this.#log = log;
    this.#events = events;
    this.#crashes = new CrashLog(log);
  }

  started(listeners: readonly Listener[], config: Config): void {
    const { workerBind: workerAddresses } = config;
    const nodeEnv = nodeEnvOf(config);
    const shared = listeners.filter(({ slot }) => slot === undefined);
    const urls = shared.map(({ url }) => url).join(",");
    this.#log.info(
      `Starting tsgun ${packageVersion()}${nodeEnv === undefined ? "" : ` (NODE_ENV: ${nodeEnv})`}`,
    );
    this.#log.info(`Listening at: ${urls} (${process.pid})`);
    this.#events.started(packageVersion(), urls);
    if (workerAddresses !== undefined)
      this.#log.info(
        `Each worker also listens at an address of its own: ${formatWorkerAddresses(workerAddresses)}`,
      );
    const heap = describeHeapLimit(config, workerCount(config.workers));
    if (heap !== undefined) this.#log.info(heap);
    if (listeners.some(({ activated }) => activated))
      this.#log.info("Using the sockets that systemd passed: the setting bind is ignored");
    if (nodeEnv === undefined)
      this.#log.info(
        `NODE_ENV is not set: ${SHOWN_STACKS}; start with NODE_ENV=production, or use tsgun dev`,
      );
    const missing = missingForExaminations();
    if (missing.length > 0)
      this.#log.warning(
        `Node's permission model allows no stacks of blocked workers, and no tsgun ctl stack, profile, heap and trace: add ${missing.join(" and ")}`,
      );
    const ignored = settingsForTheApp(config);
    if (ignored.length > 0)
      this.#log.warning(
        `${ignored.join(", ")} in --env or --env-file reaches the app but not tsgun: set it where tsgun is started`,
      );
    this.withoutEffect(config);
  }

  /** Tells settings that do nothing by themselves, and that `before` did not have. */
  withoutEffect(config: Config, before?: Config): void {
    const known: readonly string[] = before === undefined ? [] : settingsWithoutEffect(before);
    for (const name of settingsWithoutEffect(config))
      if (!known.includes(name)) this.#log.warning(`${describeWithoutEffect(name)}: set both, or neither`);
  }

  socketLost(url: string, loss: FileLoss): void {
    const remedy = {
      removed: "reload (HUP) or upgrade (USR2) to bind it again",
      "another socket": "stop that server or remove the file, then reload (HUP)",
      "no socket": "remove it, then reload (HUP)",
    };
    this.#log.error(`Clients cannot reach ${url}: ${LOSS_TEXTS[loss]}; ${remedy[loss]}`);
  }

  socketBack(url: string): void {
    this.#log.info(`Clients can reach ${url} again`);
  }

  stopped(stop: Stop | undefined): void {
    this.#log.info("Shutting down: Master");
    if (stop?.reason !== undefined) this.#log.error(`Reason: ${stop.reason}`);
  }

  drainDelayed(milliseconds: number): void {
    this.#log.info(`Draining in ${milliseconds / 1000}s: still serving, but reported as not ready`);
  }

  signalled(signal: Signal): void {
    this.#log.info(`Handling signal: ${signal.slice(3).toLowerCase()}`);
  }

  /** SIGHUP stops the server. @param isTerminalGone whether its terminal has closed */
  hungUp(isTerminalGone: boolean): void {
    const why = isTerminalGone
      ? "The terminal has hung up"
      : "HUP stops tsgun dev, which reloads changed files itself";
    this.#log.info(`${why}: stopping the server`);
  }

  booting(pid: number | undefined, worker: WorkerRecord | undefined, now: number): void {
    const line = `Booting worker with pid: ${pid}`;
    const fields = worker === undefined ? {} : workerFields(pid, worker);
    if (this.#crashes.isFlood(now)) this.#log.debug(line, fields);
    else this.#log.info(line, fields);
  }

  /** The first worker of a generation is ready. */
  serving(by: string): void {
    this.#log.info(`Using worker: ${by}`);
  }

  /** A worker of the serving generation could not be started; the pool tries again. */
  unstarted({ message }: BootFailure, now: number): void {
    const { reason, loggedAt } = this.#startError;
    if (message === reason && now - loggedAt < SAME_START_ERROR_INTERVAL_MS) return;
    this.#startError = { reason: message, loggedAt: now };
    const sentence = message.charAt(0).toUpperCase() + message.slice(1);
    this.#log.error(`${sentence}; retrying every second`);
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
    this.#logDeath(worker, { what, detail: failure.stack, fields: workerFields(pid, worker) }, desired, now);
  }

  /** `state` is the kernel's state of the silent worker's process. */
  silent(pid: number | undefined, worker: WorkerRecord, state: ProcessState): void {
    const time = `for more than ${worker.maxSilence / 1000}s`;
    const what = {
      stopped: `its process has been stopped (SIGSTOP, for example) ${time}`,
      uninterruptible: `it has been waiting in the kernel (for a disk or a network file system) ${time}`,
    };
    const why = what[state as keyof typeof what] ?? `its event loop has not turned ${time}`;
    const line = `WORKER TIMEOUT (pid: ${pid}): ${why}: it is killed`;
    this.#log.critical(line, undefined, workerFields(pid, worker));
    this.#events.workerStuck(pid, line);
  }

  stall(report: StallReport): void {
    const [headline = "", ...details] = describeStall(report);
    const text = headline.replace(/^worker/, "Worker");
    const rest = details.length === 0 ? undefined : details.join("\n");
    const fields = { workerPid: report.pid };
    if (report.kind === "stuck") this.#log.error(text, rest, fields);
    else this.#log.warning(text, rest, fields);
    const event = withFrame(text, details[0]);
    if (report.kind === "stuck") this.#events.workerStuck(report.pid, event);
    if (report.kind === "recovered") this.#events.workerRecovered(report.pid, event);
  }

  /** A draining worker has not finished in time. */
  overdue(pid: number | undefined, worker: WorkerRecord | undefined): void {
    const fields = worker === undefined ? {} : workerFields(pid, worker);
    const what = `Worker (pid: ${pid}) has not finished within --graceful-timeout`;
    this.#log.warning(`${what}: closing its open connections and shutting down its app`, undefined, fields);
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
      stop: "is not given time to finish",
    };
    const fields = worker === undefined ? {} : workerFields(pid, worker);
    // Without a pid the process has not been started yet.
    const name = pid === undefined ? "Worker (waiting for the hook preFork)" : `Worker (pid: ${pid})`;
    this.#log.warning(`${name} ${reasons[why]}: it is killed`, undefined, fields);
  }

  /** A worker's process has ended; `desired` is the state after it. */
  exited(worker: WorkerExit, desired: Desired, now: number): void {
    const { pid, record, ending, how, requests, isProblem } = worker;
    const what = `Worker (pid: ${pid}) ${how}`;
    const fields = workerFields(pid, record);
    const detail = describeInFlight(requests, Date.now()).join("\n") || undefined;
    this.#events.workerExited(worker, how, isProblem, worker.reason);
    const more = worker.hint === undefined ? "" : ` (see ${worker.hint})`;
    if (record.state !== "draining")
      this.#logDeath(record, { what: `${what}${more}`, detail, fields }, desired, now);
    else if (record.killedFor === "silence") this.#log.error(`${what}${more}`, detail, fields);
    else if (endedAsOrdered(record, ending))
      this.#log.info(`Worker exiting (pid: ${pid})${isProblem ? more : ""}`, fields);
    else this.#log.warning(`${what} while it was stopping${more}`, detail, fields);
  }

  /** Workers die repeatedly with the same requests in flight. */
  suspected(requests: readonly string[], deaths: number): void {
    const names = printable(requests.join(" and "));
    const [were, their] = requests.length === 1 ? ["was", "its handler"] : ["were", "their handlers"];
    this.#log.warning(
      `Possible cause of the crashes: ${names} ${were} in flight in each of the last ${deaths} deaths of workers; ` +
        `if tsgun why blames ${their}, let the proxy refuse such requests until that is fixed`,
    );
  }

  #logDeath(worker: WorkerRecord, death: LoggedDeath, desired: Desired, now: number): void {
    if (worker.generation === servingGeneration(desired)) this.#crashes.logDeath(worker, death, desired, now);
    else this.#log.error(death.what, death.detail, death.fields);
  }

  /** A further worker was requested while this arbiter drains for its successor. */
  noWorkerWhileLeaving(successor: number | undefined): void {
    this.#log.warning(`No worker added: this arbiter is draining for the new one (pid: ${successor})`);
  }

  /** A further worker was requested at the maximum number of workers. */
  noWorkerAtLimit(target: number): void {
    this.#log.warning(`No worker added: ${target} is the maximum`);
  }

  /** A further worker was requested, and there is no address for it. */
  noWorkerWithoutAddress(why: string): void {
    this.#log.warning(`No worker added: ${why}`);
  }

  predecessorGone(pid: number | undefined): void {
    const line = `The previous arbiter (pid: ${pid}) has exited`;
    this.#log.info(line);
    this.#events.upgrade(line, false);
  }

  /** The lines follow once its configuration has been read. */
  reloadRequested(): void {
    this.#events.reloadRequested();
  }

  /** @param changed the changed files that caused the reload, if any */
  reloading(generation: number, changed: readonly string[]): void {
    const line = `Reloading: ${changeText(changed)}generation ${generation}`;
    this.#log.info(line, { generation });
    this.#events.reloading(generation, line);
  }

  /** There is no working app; the server waits for a fixed one. */
  broken(failure: BootFailure): void {
    this.#log.error(failure.message, failure.stack);
    this.#events.reloadFailed(0, failure.message);
  }

  waiting(): void {
    this.#log.info("Waiting until a file changes; requests get a 503 until then");
  }

  /** `detail` is the app's stack, if the app is at fault. */
  reloadFailed(established: number, why: string, detail?: string): void {
    const line = `Reload failed, generation ${established} stays: ${why}`;
    this.#log.error(line, detail);
    this.#events.reloadFailed(established, line);
  }

  established(generation: number, workers: number): void {
    const count = workers === 1 ? "1 worker" : `${workers} workers`;
    const line = `Ready: generation ${generation} serves with ${count}`;
    this.#log.info(line, { generation });
    this.#events.established(generation, line);
  }

  /** At the first boot log only the stack here: the message follows last, as the reason for the exit. */
  abandoned(failure: BootFailure, established: number): void {
    if (established !== 0) this.reloadFailed(established, failure.message, failure.stack);
    else if (failure.stack !== undefined) this.#log.error("Exception in worker process", failure.stack);
  }
}
