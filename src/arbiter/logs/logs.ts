/**
 * The server's logs: the arbiter's own, and the files that the workers write. Log errors surface before anything
 * depends on the log.
 */
import type { Config } from "../../config/settings.ts";
import type { Outcome } from "../../control/api.ts";
import type { Identity } from "../../ipc/messages.ts";
import { ErrorLog } from "../../log/error-log.ts";
import type { SinkTarget } from "../../log/line-sink.ts";
import { accessSyslog, errorLogOptions } from "../../log/log-settings.ts";
import { accessTarget, NOWHERE, prepareAccessLog } from "../../log/log-targets.ts";
import type { LostLog } from "../workers/lost-requests.ts";
import { errorTarget, prepareErrorLog } from "./error-file.ts";

export class Logs {
  /** The arbiter's own log. */
  readonly errors = new ErrorLog();
  readonly #folder: string;
  readonly #identity: Identity;

  /** @param folder base of relative file names */
  constructor(folder: string, identity: Identity) {
    this.#folder = folder;
    this.#identity = identity;
  }

  /** @throws FatalError (usage) when workers with this configuration could not write their logs. */
  prepare(config: Config): void {
    prepareErrorLog(config, this.#folder, this.#identity);
    prepareAccessLog(config, this.#folder, this.#identity);
  }

  /** Configures the arbiter's log from this configuration. */
  adopt(config: Config): void {
    this.errors.configure(errorLogOptions(config, errorTarget(config, this.#folder)));
  }

  /** Log targets of workers with this configuration. */
  targets(config: Config): { readonly errorLog: SinkTarget; readonly accessLog: SinkTarget | undefined } {
    return {
      errorLog: errorTarget(config, this.#folder),
      accessLog: accessTarget(config, this.#folder),
    };
  }

  /** The access log of a dead worker, for the requests it lost; undefined if it had none. */
  ofLost(worker: { readonly pid: number; readonly slot: number }, config: Config): LostLog | undefined {
    const target = accessTarget(config, this.#folder);
    if (target === undefined) return undefined;
    return {
      target,
      format: config.accessLogformat,
      worker: { ...worker, env: { ...process.env, ...config.env } },
      onTrouble: (message) => this.errors.error(message),
      syslog: accessSyslog(config),
    };
  }

  /** Reopens the arbiter's file, and creates those that the workers will reopen. `configs`: all that workers may have. */
  reopen(configs: readonly Config[]): Outcome {
    const targets = configs.flatMap((config) => Object.values(this.targets(config)));
    const files = [...new Set(targets)].filter((target) => typeof target === "string" && target !== NOWHERE);
    if (files.length === 0)
      return { ok: true, message: "there is no log file: the log is the standard error" };
    this.errors.reopen();
    try {
      for (const config of configs) this.prepare(config);
    } catch (error) {
      this.errors.error((error as Error).message);
    }
    return { ok: true, message: `reopened ${files.join(", ")}` };
  }
}
