/** The limits that the pool enforces. */
import type { CrashLimit } from "../../config/number-kind.ts";
import type { Config } from "../../config/settings.ts";

/** Times are in milliseconds. */
export interface Limits {
  readonly boot: number;
  readonly graceful: number;
  /** How long a worker may send no heartbeat; `Infinity` for no limit. */
  readonly silence: number;
  /** How many workers may die within what time before the server stops; undefined for no limit. */
  readonly crashes: CrashLimit | undefined;
}

export function limitsOf(config: Config): Limits {
  return {
    boot: config.bootTimeout,
    graceful: config.gracefulTimeout,
    silence: config.timeout || Number.POSITIVE_INFINITY,
    crashes: config.crashLimit,
  };
}
