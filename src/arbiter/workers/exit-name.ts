/**
 * How a process ended, in words that are true. SIGKILL has many senders: "out of memory" is said only when
 * the kernel counted a kill of its own.
 */
import { join } from "node:path";
import { cgroupOf, readText } from "../../system/cgroup.ts";

/** In milliseconds. An exit is heard of much sooner. */
const REVIEW_EVERY = 5000;

/** Counts the kernel's out-of-memory kills among this process's control group. */
export class OomKills {
  readonly #files: readonly string[];
  #seen: number;
  #reviewed: number;
  #reviewedAt = Number.NEGATIVE_INFINITY;

  /** `root` is where /proc and the mounts are looked for. */
  constructor(root = "/") {
    const group = cgroupOf("memory", root);
    const own = group?.folders[0];
    const counter = group?.version === 1 ? "memory.oom_control" : "memory.events";
    // The root group of version 2 has no events of its own; what it would count, the kernel counts here.
    const whole = join(root, "proc/vmstat");
    this.#files = own === undefined ? [whole] : [join(own, counter), whole];
    this.#seen = this.#read();
    this.#reviewed = this.#seen;
  }

  /**
   * Whether the kernel has killed a process since the last look; one kill answers for one call, so call
   * it once for each process that ended by SIGKILL.
   */
  claim(): boolean {
    if (this.#read() <= this.#seen) return false;
    this.#seen++;
    return true;
  }

  /**
   * To be called often; looks every few seconds, and forgets the kills that the look before saw already. Whatever
   * they hit was no worker (an app's own child, say), or its end would have been heard of.
   *
   * @param now milliseconds
   */
  forgetOld(now: number): void {
    if (now - this.#reviewedAt < REVIEW_EVERY) return;
    this.#reviewedAt = now;
    this.#seen = Math.max(this.#seen, this.#reviewed);
    this.#reviewed = this.#read();
  }

  #read(): number {
    for (const file of this.#files) {
      const count = /^oom_kill (\d+)$/m.exec(readText(file) ?? "")?.[1];
      if (count !== undefined) return Number(count);
    }
    return 0;
  }
}

/** Continues a sentence: "worker 12 " + `exited with code 1` | `was killed by SIGKILL: out of memory`. */
export function exitName(
  code: number | null,
  signal: NodeJS.Signals | null,
  oomKills?: Pick<OomKills, "claim">,
): string {
  if (signal === null) return `exited with code ${code ?? "unknown"}`;
  const outOfMemory = signal === "SIGKILL" && oomKills?.claim() === true;
  return `was killed by ${signal}${outOfMemory ? ": out of memory" : ""}`;
}
