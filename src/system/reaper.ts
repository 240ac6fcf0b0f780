/**
 * The first process of a container inherits every process whose parent is gone, and has to reap it when it
 * ends, or it stays in the table as a zombie. Node reaps what it started itself and knows of nothing else;
 * the rest is reaped here, through libc, where the optional package koffi is installed.
 */
import { readFileSync } from "node:fs";
import { processState } from "./process-state.ts";

/** Reaps one ended child. */
export type Reap = (pid: number) => void;

export interface ReaperOptions {
  /** Called once, with what to do about it, when there is something to reap and no way to. */
  readonly onFailure: (message: string) => void;
  /** The children of this process that have ended. Default: what /proc says. */
  readonly zombies?: () => number[];
  /** Default: waitpid(2) of libc. */
  readonly connect?: () => Promise<Reap>;
}

const LOOK_EVERY = 1000;
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

  /** Looks once a second, if this is process 1. */
  start(): void {
    if (process.pid !== 1) return;
    const look = (): void => {
      this.look().catch((error: Error) => this.#onFailure(`children cannot be reaped: ${error.message}`));
    };
    setInterval(look, LOOK_EVERY).unref();
  }

  /**
   * Reaps what had ended by the last look already. What node started itself it has reaped by then: between
   * two looks its loop has turned, and so it has heard of the end. To reap that one would lose its exit.
   */
  async look(): Promise<void> {
    const zombies = this.#zombies();
    const foreign = zombies.filter((pid) => this.#seen.has(pid));
    this.#seen = new Set(zombies);
    if (foreign.length === 0) return;
    this.#reap ??= this.#connect().catch(() => {
      this.#onFailure(
        `process ${foreign[0]} has ended and nobody reaps it: install the package koffi, or give the container an init (docker run --init)`,
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
