/** A load that runs on another machine, with its counts of the last report. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { cleanUp, until } from "./command.ts";
import type { Counts, Failure, Target } from "./load.ts";
import type { Machine } from "./machine.ts";

const PROCESS = join(import.meta.dirname, "load-process.ts");

export interface LoadOrder {
  readonly target: Target;
  readonly clients: number;
  /** Requests a second, over all clients. */
  readonly rate: number;
  /** The limit for a response, in milliseconds. */
  readonly timeout: number;
}

export interface LoadState {
  readonly counts: Counts;
  readonly failed: number;
  readonly failures: readonly Failure[];
  /** How many right answers each release on each host gave, by `HOST RELEASE`. */
  readonly answers: Readonly<Record<string, number>>;
}

export class RemoteLoad {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #state: LoadState | undefined;

  private constructor(machine: Machine, order: LoadOrder) {
    const [program = "", ...words] = [...machine.enter(import.meta.dirname), process.execPath];
    this.#child = spawn(program, [...words, "--import", "@oxc-node/core/register", PROCESS], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#exited = once(this.#child, "exit");
    this.#child.on("message", (state: LoadState) => {
      this.#state = state;
    });
    this.#child.send(order);
  }

  /** Starts it, and waits for the first answers. It ends with the test. */
  static async start(test: TestContext, machine: Machine, order: LoadOrder): Promise<RemoteLoad> {
    const load = new RemoteLoad(machine, order);
    cleanUp(test, async () => {
      load.#child.kill("SIGKILL");
      await load.#exited;
    });
    await load.more(order.clients);
    return load;
  }

  get state(): LoadState {
    assert.ok(this.#state !== undefined, "the load has not begun");
    return this.#state;
  }

  /** Waits for so many more right answers. */
  async more(answers: number): Promise<void> {
    const goal = (this.#state?.counts.answered ?? 0) + answers;
    await until(`${answers} more answers have come`, () => (this.#state?.counts.answered ?? 0) >= goal);
  }

  /** How many right answers came from a host, or from one of its releases. */
  from(host: string, release = ""): number {
    const found = Object.entries(this.state.answers).filter(([who]) => who.startsWith(`${host} ${release}`));
    return found.reduce((sum, [, count]) => sum + count, 0);
  }

  /** The failures so far, for error messages. */
  report(): string {
    const { counts, failures, answers } = this.state;
    return JSON.stringify({ counts, answers, failures: failures.map(describe) }, undefined, 1);
  }

  /** Sends nothing more, and waits for the answers that are due. */
  async stop(): Promise<void> {
    this.#child.send("stop");
    await this.#exited;
  }
}

function describe({ since, at, kind, text }: Failure): string {
  return `${new Date(since).toISOString()} ${kind} after ${at - since} ms: ${text}`;
}
