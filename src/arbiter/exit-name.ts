/**
 * How a process ended, in words that are true. SIGKILL has many senders: "out of memory" is said only when
 * the kernel counted a kill of its own.
 */
import { join } from "node:path";
import { cgroupOf, readText } from "./cgroup.ts";

/** Counts the kernel's out-of-memory kills among this process's control group. */
export class OomKills {
  readonly #files: readonly string[];
  #seen: number;

  /** `root` is where /proc and the mounts are looked for. */
  constructor(root = "/") {
    const group = cgroupOf("memory", root);
    const own = group?.folders[0];
    const counter = group?.version === 1 ? "memory.oom_control" : "memory.events";
    // The root group of version 2 has no events of its own; what it would count, the kernel counts here.
    const whole = join(root, "proc/vmstat");
    this.#files = own === undefined ? [whole] : [join(own, counter), whole];
    this.#seen = this.#read();
  }

  /**
   * Whether the kernel has killed a process since the last look; one kill answers for one call, so call
   * it once for each process that ended by SIGKILL.
   */
  take(): boolean {
    if (this.#read() <= this.#seen) return false;
    this.#seen++;
    return true;
  }

  /** Forgets kills until now: whatever they hit was no worker (an app's own child, long reaped). */
  forget(): void {
    this.#seen = this.#read();
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
  oomKills?: Pick<OomKills, "take">,
): string {
  if (signal === null) return `exited with code ${code ?? "unknown"}`;
  const outOfMemory = signal === "SIGKILL" && oomKills?.take() === true;
  return `was killed by ${signal}${outOfMemory ? ": out of memory" : ""}`;
}
