/** The arbiter's figures without a file and without processes. */
import type { Pool } from "../../src/arbiter/pool/pool.ts";
import { Scoreboard } from "../../src/arbiter/stats/scoreboard.ts";
import { Stats } from "../../src/arbiter/stats/stats.ts";

export function paperStats(pool: () => Pool): Stats {
  return new Stats({
    pool,
    board: new Scoreboard(false, undefined, () => {}),
    pidOf: () => undefined,
    isLeaving: () => false,
    listeners: () => [],
  });
}
