/**
 * All processes of a run, seen from outside: those whose environment has its mark. What the server says of its workers is
 * compared with this, and a death is known even when nobody was left to record it.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** How often the processes are looked at. A worker that lives for less has answered nobody. */
const INTERVAL_MS = 25;

export interface SeenProcess {
  readonly pid: number;
  readonly parent: number;
  /** In clock ticks since the machine's start: with the pid it names a process for good. */
  readonly startedAt: string;
  role: "arbiter" | "worker" | "other";
  /** Milliseconds since the epoch, by this process's clock; undefined while it lives. */
  goneAt: number | undefined;
}

interface Stat {
  readonly state: string;
  readonly parent: number;
  readonly startedAt: string;
}

export class Census {
  /** All that were ever seen, the oldest first. */
  readonly seen: SeenProcess[] = [];
  readonly #mark: string;
  readonly #living = new Map<number, SeenProcess>();
  /** How often a process was found without the mark, by pid. */
  readonly #foreign = new Map<number, number>();
  readonly #timer: NodeJS.Timeout;

  /** @param mark an entry of the environment, as `NAME=value` */
  constructor(mark: string) {
    this.#mark = mark;
    this.#timer = setInterval(() => this.look(), INTERVAL_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  get living(): readonly SeenProcess[] {
    return [...this.#living.values()];
  }

  having(role: SeenProcess["role"]): readonly SeenProcess[] {
    return this.living.filter((each) => each.role === role);
  }

  /** Looks now. */
  look(): void {
    const pids = readdirSync("/proc").map(Number).filter(Number.isInteger);
    const present = new Set(pids);
    for (const each of this.#living.values()) {
      const stat = present.has(each.pid) ? statOf(each.pid) : undefined;
      if (stat !== undefined && stat.state !== "Z" && stat.startedAt === each.startedAt) {
        // Until it runs its program, a process has the command line of the one that has forked it.
        if (each.role !== "worker") each.role = roleOf(each.pid) ?? each.role;
        continue;
      }
      each.goneAt = Date.now();
      this.#living.delete(each.pid);
    }
    for (const pid of this.#foreign.keys()) if (!present.has(pid)) this.#foreign.delete(pid);
    // Twice: it may have been forked by one that is not yet known.
    for (const pid of pids) if (!this.#living.has(pid) && (this.#foreign.get(pid) ?? 0) < 2) this.#meet(pid);
  }

  #meet(pid: number): void {
    const stat = statOf(pid);
    if (stat === undefined || stat.state === "Z") return;
    if (!isMarked(pid, this.#mark)) {
      // One that begins its program has no environment for a moment, which is long on a busy machine.
      if (this.#living.has(stat.parent)) return;
      this.#foreign.set(pid, (this.#foreign.get(pid) ?? 0) + 1);
      return;
    }
    const { parent, startedAt } = stat;
    const met: SeenProcess = { pid, parent, startedAt, role: roleOf(pid) ?? "other", goneAt: undefined };
    this.#living.set(pid, met);
    this.seen.push(met);
  }
}

function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(") ") + 2).split(" ");
    return { state: fields[0] ?? "", parent: Number(fields[1]), startedAt: fields[19] ?? "" };
  } catch {
    return undefined;
  }
}

function isMarked(pid: number, mark: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(mark);
  } catch {
    return false;
  }
}

/** By the command line, which tsgun replaces with its title when it has loaded that far; undefined for one that ends. */
function roleOf(pid: number): SeenProcess["role"] | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    if (line === "") return undefined;
    if (/worker/.test(line)) return "worker";
    return /main\.js|arbiter/.test(line) ? "arbiter" : "other";
  } catch {
    return undefined;
  }
}

/** The open descriptors of a process: what each refers to, without numbers of inodes. */
export function descriptorsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${name}`).replace(/\[\d+\]|\d{3,}(-\w+)?/g, "N");
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}
