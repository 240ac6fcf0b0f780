/** Names how a process ended. SIGKILL has many senders: "out of memory" only when the kernel counted a kill of its own. */
import { join } from "node:path";
import { cgroupOf, readText } from "../../system/cgroup.ts";

/** Interval between two readings that forget kills. An exit is reported much sooner. */
const FORGET_INTERVAL_MS = 5000;

/** Counts the kernel's out-of-memory kills among this process's control group. */
export class OomKills {
  readonly #files: readonly string[];
  /** Kills that are claimed or forgotten. */
  #claimed: number;
  /** The count of the latest `forgetOld`. */
  #previous: number;
  #forgotAt = Number.NEGATIVE_INFINITY;
  /** The count when it was last looked at for a record; null if there is none. */
  #seen: number | null;

  /** @param root folder below which /proc and the mounts are found */
  constructor(root = "/") {
    const group = cgroupOf("memory", root);
    const own = group?.folders[0];
    const counter = group?.version === 1 ? "memory.oom_control" : "memory.events";
    // The root group of version 2 has no events file; the machine's counter stands in for it.
    const machine = join(root, "proc/vmstat");
    this.#files = own === undefined ? [machine] : [join(own, counter), machine];
    this.#claimed = this.#read();
    this.#previous = this.#claimed;
    this.#seen = this.#count() ?? null;
  }

  /** Claims one unclaimed kill; returns false if there is none. Call once for each process that ended by SIGKILL. */
  claim(): boolean {
    if (this.#read() <= this.#claimed) return false;
    this.#claimed++;
    return true;
  }

  /** The count at the latest reading before this one, and now; null where the system has none. */
  change(): { readonly before: number | null; readonly after: number | null } {
    const before = this.#seen;
    const after = this.#count();
    this.#seen = after ?? null;
    return { before: before ?? null, after: after ?? null };
  }

  /**
   * Forgets kills that were counted at the previous reading and not claimed since: they hit no worker, but an app's own
   * child for example. Call on every tick; reads every few seconds.
   *
   * @param now milliseconds
   */
  forgetOld(now: number): void {
    if (now - this.#forgotAt < FORGET_INTERVAL_MS) return;
    this.#forgotAt = now;
    this.#claimed = Math.max(this.#claimed, this.#previous);
    this.#previous = this.#read();
    this.#seen = this.#count() ?? null;
  }

  #read(): number {
    return this.#count() ?? 0;
  }

  #count(): number | undefined {
    for (const file of this.#files) {
      const count = /^oom_kill (\d+)$/m.exec(readText(file) ?? "")?.[1];
      if (count !== undefined) return Number(count);
    }
    return undefined;
  }
}

/**
 * Returns the predicate of a sentence: `exited with code 1`, `was killed by SIGKILL: out of memory`.
 *
 * @param hasBegun its program has run. Of what ends it before, only Node tells (wrong flags in NODE_OPTIONS, files that it
 *   cannot open), and nobody else can
 */
export function exitName(
  code: number | null,
  signal: NodeJS.Signals | null,
  oomKills?: Pick<OomKills, "claim">,
  hasBegun = true,
): string {
  if (signal === null) {
    const where = hasBegun || code === 0 ? "" : " while Node started (its reason is on standard error)";
    return `exited with code ${code ?? "unknown"}${where}`;
  }
  const outOfMemory = signal === "SIGKILL" && oomKills?.claim() === true;
  return `was killed by ${signal}${outOfMemory ? ": out of memory" : ""}`;
}
