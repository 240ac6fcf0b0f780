/**
 * Counts the handlers whose promise is pending, so that the app is not shut down while one still works after its
 * response. It costs a handler that returns a promise two additions, and others nothing.
 */

import { thrownError } from "../errors.ts";

/** Time for abandoned handlers to clean up. */
const ABANDONED_GRACE_MS = 1000;

export class RunningHandlers {
  #running = 0;
  /** Running handlers whose response nobody waits for. */
  #abandoned = 0;
  #resolve: (() => void) | undefined;
  #graceTimer: NodeJS.Timeout | undefined;
  #released = false;

  /** A handler has returned a promise. Call `settled` when it settles. */
  begin(): void {
    this.#running += 1;
  }

  /** Waits for other work of a request too. @param onError reports its rejection */
  keep(work: PromiseLike<unknown>, onError: (error: Error) => void): void {
    this.begin();
    work.then(this.settled, (thrown: unknown) => {
      onError(thrownError(thrown));
      this.settled();
    });
  }

  readonly settled = (): void => {
    this.#running -= 1;
    if (this.#resolve !== undefined) setImmediate(() => this.#check());
  };

  /** The handler that returned `promise` no longer matters: its client is gone, or its request has timed out. */
  abandon(promise: Promise<unknown>): void {
    this.#abandoned += 1;
    const settled = (): void => {
      this.#abandoned -= 1;
    };
    promise.then(settled, settled);
    // After the microtasks, so that a promise that has already settled is not counted.
    if (this.#resolve !== undefined) setImmediate(() => this.#check());
  }

  /** True while a handler runs that has not been abandoned. */
  get busy(): boolean {
    return this.#running > this.#abandoned;
  }

  /** Resolves when all have settled, or a second after all but abandoned ones have. */
  whenIdle(): Promise<void> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#check();
    });
  }

  /** Resolves `whenIdle` at once. */
  release(): void {
    this.#released = true;
    this.#check();
  }

  #check(): void {
    if (this.#resolve === undefined) return;
    if (this.#running === 0 || this.#released) {
      clearTimeout(this.#graceTimer);
      this.#resolve();
    } else if (!this.busy) {
      this.#graceTimer ??= setTimeout(this.#resolve, ABANDONED_GRACE_MS);
    }
  }
}
