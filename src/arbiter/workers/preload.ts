/** `--preload`: nothing is bound, started or replaced for an app that cannot be loaded (gunicorn: `preload_app`). */
import type { Config } from "../../config/settings.ts";
import type { Identity } from "../../ipc/messages.ts";
import type { ErrorLog } from "../../log/error-log.ts";

const STOPS = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;

export class Preload {
  readonly #folder: string;
  readonly #identity: Identity;
  readonly #log: ErrorLog;
  #told = false;

  constructor(folder: string, identity: Identity, log: ErrorLog) {
    this.#folder = folder;
    this.#identity = identity;
    this.#log = log;
  }

  /**
   * Before the start. True: a signal to stop came first.
   * @throws FatalError when the app cannot be loaded
   */
  async tryFirst(config: Config): Promise<boolean> {
    if (!isWanted(config)) return false;
    const stop = new AbortController();
    const heard = (): void => stop.abort();
    for (const signal of STOPS) process.on(signal, heard);
    try {
      await this.try(config, stop.signal);
      return stop.signal.aborted;
    } finally {
      for (const signal of STOPS) process.off(signal, heard);
    }
  }

  /** @throws FatalError when the app that a configuration with `--preload` names cannot be loaded. */
  async try(config: Config, signal?: AbortSignal): Promise<void> {
    if (!isWanted(config)) return;
    const { HAS_COMPILE_CACHE, tryApp } = await import("./preflight.ts");
    if (!HAS_COMPILE_CACHE && !this.#told)
      this.#log.info("Preload: this Node has no compile cache (22.1 and later have); the app is only tried");
    this.#told = true;
    const options = { config, identity: this.#identity, folder: this.#folder };
    await tryApp(signal === undefined ? options : { ...options, signal });
  }
}

/** A server that waits until its app is mended starts with a broken one. */
function isWanted({ preload, reload }: Config): boolean {
  return preload && !reload;
}
