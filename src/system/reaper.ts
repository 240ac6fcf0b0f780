/**
 * Process 1 of a container inherits every orphaned process and must reap it, or it stays in the process table as a
 * zombie. Node reaps only its own children; the others are reaped here, through libc, if the optional package koffi is
 * installed.
 */
import { readFileSync } from "node:fs";
import { processState } from "./process-state.ts";

/** Reaps one ended child. */
export type Reap = (pid: number) => void;

export interface ReaperOptions {
  /** Called once, with advice, when there is a process to reap and no way to do it. */
  readonly onFailure: (message: string) => void;
  /** Returns the children of this process that have ended. Default: from /proc. */
  readonly zombies?: () => number[];
  /** Default: waitpid(2) of libc. */
  readonly connect?: () => Promise<Reap>;
}

const CHECK_INTERVAL_MS = 1000;
const WNOHANG = 1;

export class Reaper {
  readonly #zombies: () => number[];
  readonly #connect: () => Promise<Reap>;
  readonly #onFailure: (message: string) => void;
  #reap: Promise<Reap | undefined> | undefined;
  #seen = new Set<number>();

  constructor(options: ReaperOptions) {
    this.#zombies = options.zombies ?? endedChildren;
    this.#connect = options.connect ?? libcReap;
    this.#onFailure = options.onFailure;
  }

  /** Reaps once a second, if this is process 1. */
  start(): void {
    if (process.pid !== 1) return;
    const check = (): void => {
      this.check().catch((error: Error) => this.#onFailure(`children cannot be reaped: ${error.message}`));
    };
    setInterval(check, CHECK_INTERVAL_MS).unref();
  }

  /**
   * Reaps children that were zombies at the previous check too. Node has reaped its own by then, because its loop has
   * turned in between; reaping one of those here would lose its exit event.
   */
  async check(): Promise<void> {
    const zombies = this.#zombies();
    const foreign = zombies.filter((pid) => this.#seen.has(pid));
    this.#seen = new Set(zombies);
    if (foreign.length === 0) return;
    this.#reap ??= this.#connect().catch(() => {
      this.#onFailure(
        `process ${foreign[0]} has exited and nothing reaps it: install the package koffi, or give the container an init (docker run --init)`,
      );
      return undefined;
    });
    const reap = await this.#reap;
    if (reap === undefined) return;
    for (const pid of foreign) reap(pid);
  }
}

function endedChildren(): number[] {
  try {
    const text = readFileSync(`/proc/self/task/${process.pid}/children`, "latin1").trim();
    const children = text === "" ? [] : text.split(" ").map(Number);
    return children.filter((pid) => processState(pid) === "zombie");
  } catch {
    return [];
  }
}

async function libcReap(): Promise<Reap> {
  const { default: koffi } = await import("koffi");
  const waitpid = koffi.load(null).func("int waitpid(int pid, void *status, int options)");
  return (pid) => {
    waitpid(pid, null, WNOHANG);
  };
}
