/**
 * The record of a worker's end, as `tsgun why` shows it. It holds no header and no content of any request, no environment
 * and no setting: nothing in it is secret, except what the app itself wrote to standard error or into a target.
 */
import type { LastWords } from "../ipc/last-words.ts";
import type { ExitReason } from "../scoreboard/metrics.ts";

/** One second of a worker's last minute, oldest first. Sizes are bytes, times milliseconds. */
export interface DeathSample {
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly rss: number | null;
  readonly heapUsed: number | null;
  readonly external: number | null;
  readonly loopDelay: number | null;
  /** CPU time over time: 1 is a whole core. */
  readonly cpu: number | null;
  readonly requestsPerSecond: number | null;
  readonly inFlight: number | null;
}

export interface DeathRecord {
  /** The version of this format. */
  readonly version: 1;
  /** ISO 8601. */
  readonly time: string;
  readonly server: {
    readonly name: string;
    readonly app: string;
    readonly folder: string;
    /** The folder's real path: the release, where releases are folders behind a link. */
    readonly release: string;
    readonly tsgun: string;
    readonly node: string;
    readonly arbiter: number;
  };
  readonly worker: {
    readonly pid: number;
    readonly slot: number;
    readonly generation: number;
    readonly state: "booting" | "ready" | "draining";
    /** How long it lived, and how long it served. */
    readonly age: number;
    readonly served: number | null;
    readonly requests: number;
  };
  readonly end: {
    readonly reason: ExitReason;
    readonly exitCode: number | null;
    readonly signal: string | null;
    /** `was killed by SIGKILL: out of memory` */
    readonly how: string;
    /** Why tsgun ended it; null if tsgun did not. `blocked for 30s`, `not ready within 60s`, `reload` */
    readonly orderedFor: string | null;
    /** The limit for which tsgun killed it; null if it did not. */
    readonly killedFor: "boot-timeout" | "stop-timeout" | "silence" | "stop" | null;
    /** Whether somebody should look at it: it was not asked for. */
    readonly isProblem: boolean;
  };
  /** The last words of its JavaScript: the uncaught error, the call that ended the process, or why it could not boot. */
  readonly error: {
    readonly kind: LastWords["kind"] | "boot";
    readonly message: string;
    readonly stack: string | null;
  } | null;
  /** The event loop was blocked. */
  readonly stall: {
    readonly blockedFor: number;
    /** `JavaScript`, `native code`, `stopped` (SIGSTOP) or `waiting` (for the kernel). */
    readonly where: "JavaScript" | "native code" | "stopped" | "waiting";
    /** Innermost frame first. */
    readonly stack: readonly string[];
    readonly children: readonly { readonly pid: number; readonly command: string }[];
  } | null;
  readonly requestsInFlight: readonly {
    readonly method: string;
    readonly target: string;
    readonly id: string | null;
    readonly age: number;
  }[];
  readonly memory: {
    readonly heapUsed: number | null;
    readonly heapLimit: number | null;
    /** The spaces that filled the heap, largest first: `old space`, `large objects`, … */
    readonly heapSpaces: readonly { readonly name: string; readonly bytes: number }[];
    readonly external: number | null;
    readonly rss: number | null;
    /** The control group's count of out-of-memory kills, a second before and after the death. */
    readonly oomKillsBefore: number | null;
    readonly oomKillsAfter: number | null;
    readonly groupLimit: number | null;
  };
  readonly samples: readonly DeathSample[];
  /** The last lines that its JavaScript wrote to standard error. */
  readonly stderr: readonly string[];
}
