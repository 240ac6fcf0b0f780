/** `--preload`: checks that the app loads before anything is bound, started or replaced (gunicorn: `preload_app`). */
import type { Config } from "../../config/settings.ts";
import type { Identity } from "../../ipc/messages.ts";
import type { ErrorLog } from "../../log/error-log.ts";

const STOP_SIGNALS = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;

export class Preload {
  readonly #folder: string;
  readonly #identity: Identity;
  readonly #log: ErrorLog;
  #isCacheNoted = false;

  constructor(folder: string, identity: Identity, log: ErrorLog) {
    this.#folder = folder;
    this.#identity = identity;
    this.#log = log;
  }

  /**
   * Checks the app before the start. Returns true if a signal to stop interrupted the check.
   * @throws FatalError when the app cannot be loaded
   */
  async checkBeforeStart(config: Config): Promise<boolean> {
    if (!isWanted(config)) return false;
    const stop = new AbortController();
    const interrupt = (): void => stop.abort();
    for (const signal of STOP_SIGNALS) process.on(signal, interrupt);
    try {
      await this.check(config, stop.signal);
      return stop.signal.aborted;
    } finally {
      for (const signal of STOP_SIGNALS) process.off(signal, interrupt);
    }
  }

  /**
   * Checks the app of a configuration with `--preload`; does nothing without.
   * @throws FatalError when the app cannot be loaded
   */
  async check(config: Config, signal?: AbortSignal): Promise<void> {
    if (!isWanted(config)) return;
    const { HAS_COMPILE_CACHE, runPreflight } = await import("./preflight.ts");
    if (!HAS_COMPILE_CACHE && !this.#isCacheNoted)
      this.#log.info(
        "Preload: this Node has no compile cache (22.1 and later have one): the app is only checked",
      );
    this.#isCacheNoted = true;
    const options = { config, identity: this.#identity, folder: this.#folder };
    await runPreflight(signal === undefined ? options : { ...options, signal });
  }
}

/** With `--reload` a server starts with a broken app too, and waits until it is fixed. */
function isWanted({ preload, reload }: Config): boolean {
  return preload && !reload;
}
