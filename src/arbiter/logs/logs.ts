/**
 * The logs of the server: the arbiter's own, and the files that the workers write to. Whatever is wrong with a log
 * shows before anything depends on it.
 */
import type { Config } from "../../config/settings.ts";
import type { Outcome } from "../../control/api.ts";
import type { Identity } from "../../ipc/messages.ts";
import { ErrorLog } from "../../log/error-log.ts";
import type { SinkTarget } from "../../log/line-sink.ts";
import { accessSyslog, errorLogOptions } from "../../log/log-settings.ts";
import type { LostLog } from "../workers/lost-requests.ts";
import { accessTarget, NOWHERE, prepareAccessLog } from "./access-file.ts";
import { errorTarget, prepareErrorLog } from "./error-file.ts";

export class Logs {
  /** What the arbiter itself has to say goes here. */
  readonly errors = new ErrorLog();
  readonly #folder: string;
  readonly #identity: Identity;

  /** @param folder where the files' names start from */
  constructor(folder: string, identity: Identity) {
    this.#folder = folder;
    this.#identity = identity;
  }

  /** @throws FatalError (usage) when workers with this configuration could not write their logs. */
  prepare(config: Config): void {
    prepareErrorLog(config, this.#folder, this.#identity);
    prepareAccessLog(config, this.#folder, this.#identity);
  }

  /** From now on the arbiter logs as this configuration wants it. */
  adopt(config: Config): void {
    this.errors.configure(errorLogOptions(config, errorTarget(config, this.#folder)));
  }

  /** Where workers with this configuration write. */
  targets(config: Config): { readonly errorLog: SinkTarget; readonly accessLog: SinkTarget | undefined } {
    return {
      errorLog: errorTarget(config, this.#folder),
      accessLog: accessTarget(config, this.#folder),
    };
  }

  /** The access log of a worker that cannot write it any more; undefined where it had none. */
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

  /** Opens the arbiter's file anew, and makes those that the workers will: `configs` is what they may have. */
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
