/**
 * The end of an app that ends itself in its own listeners of SIGTERM or SIGINT, as under a plain kill: it exits, or has
 * nothing left to do.
 */
import { ExitCode } from "../errors.ts";
import type { HeldSignal, OwnEvents } from "./own-events.ts";

export class AppEnd {
  readonly #events: Pick<OwnEvents<never>, "release">;
  #signal: HeldSignal | undefined;
  #onOver: (() => void) | undefined;

  constructor(events: Pick<OwnEvents<never>, "release">) {
    this.#events = events;
  }

  /** Runs the app's listeners, once. */
  begin(signal: HeldSignal): void {
    if (this.#signal !== undefined) return;
    this.#signal = signal;
    // In a turn of its own, as Node does: what they throw is an uncaught exception.
    setImmediate(() => this.#events.release(signal));
  }

  /** Runs the app's listeners. Resolves when nothing is left to do, or it is given up. */
  wait(signal: HeldSignal): Promise<void> {
    // Nothing of ours may keep the process alive.
    process.channel?.unref();
    return new Promise((resolve) => {
      this.#onOver = resolve;
      process.once("beforeExit", () => resolve());
      this.begin(signal);
    });
  }

  /** Waits no longer. Returns whether it was waiting. */
  giveUp(): boolean {
    this.#onOver?.();
    return this.#onOver !== undefined;
  }

  /** Call when the app calls `process.exit()`. With whatever code, it has done what the signal asks for. */
  exited(): void {
    if (this.#signal !== undefined) process.exitCode = ExitCode.ok;
  }
}
