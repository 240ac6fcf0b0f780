/**
 * The server's logs: the arbiter's own, and the files that the workers write. Log errors surface before anything
 * depends on the log.
 */
import { nearestName } from "../../config/nearest-name.ts";
import type { Config } from "../../config/settings.ts";
import type { Outcome } from "../../control/api.ts";
import type { Identity } from "../../ipc/messages.ts";
import type { AccessLogOptions } from "../../log/access-log.ts";
import { ErrorLog } from "../../log/error-log.ts";
import { accessLogOptions, errorLogOptions } from "../../log/log-settings.ts";
import {
  checkLogSettings,
  createLogFiles,
  type LogTargets,
  logFiles,
  logTargets,
} from "../../log/log-targets.ts";
import { chownFile } from "../../system/identity.ts";

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
    checkLogSettings(config, nearestName);
    createLogFiles(this.targets(config), (fd, file) => chownFile(fd, file, this.#identity));
  }

  /** Configures the arbiter's log from this configuration. */
  adopt(config: Config): void {
    this.errors.configure(errorLogOptions(config, this.targets(config).errorLog));
  }

  /** Log targets of workers with this configuration. */
  targets(config: Config): LogTargets {
    return logTargets(config, this.#folder);
  }

  /** The access log of a dead worker, for the requests it lost; undefined if it had none. */
  accessLogOf(
    worker: { readonly pid: number; readonly slot: number },
    config: Config,
  ): AccessLogOptions | undefined {
    const { accessLog: target } = this.targets(config);
    if (target === undefined) return undefined;
    return accessLogOptions(config, {
      target,
      worker: { ...worker, env: { ...process.env, ...config.env } },
      nearest: nearestName,
      onTrouble: (message) => this.errors.error(message),
    });
  }

  /** Reopens the arbiter's file, and creates those that the workers will reopen. `configs`: all that workers may have. */
  reopen(configs: readonly Config[]): Outcome {
    const files = [...new Set(configs.flatMap((config) => logFiles(this.targets(config))))];
    if (files.length === 0)
      return { ok: true, message: "nothing to reopen: the log is standard error, not a file" };
    this.errors.reopen();
    try {
      for (const config of configs) this.prepare(config);
    } catch (error) {
      this.errors.error((error as Error).message);
    }
    return { ok: true, message: `reopened ${files.join(", ")}` };
  }
}
