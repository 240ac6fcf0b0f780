/**
 * The handlers that have returned a promise which has not settled: the app is not shut down beneath one that still works
 * behind its answer. It costs a request that returns a promise two additions, and others nothing.
 */

/** What a handler gets to clear up when nobody waits for its answer any more, in milliseconds. */
const MOMENT = 1000;

export class RunningHandlers {
  #running = 0;
  /** Those of them whose answer nobody waits for. */
  #abandoned = 0;
  #resolve: (() => void) | undefined;
  #moment: NodeJS.Timeout | undefined;
  #released = false;

  /** A handler has returned a promise; `settled` is to be called when it settles. */
  begin(): void {
    this.#running += 1;
  }

  readonly settled = (): void => {
    this.#running -= 1;
    if (this.#resolve !== undefined) setImmediate(() => this.#check());
  };

  /** Nobody waits for the answer of the handler that returned `promise`: its client has gone, or its time was over. */
  abandon(promise: Promise<unknown>): void {
    this.#abandoned += 1;
    const settled = (): void => {
      this.#abandoned -= 1;
    };
    promise.then(settled, settled);
    // Behind the microtasks: one that has settled already is none.
    if (this.#resolve !== undefined) setImmediate(() => this.#check());
  }

  /** True while somebody waits for one. */
  get busy(): boolean {
    return this.#running > this.#abandoned;
  }

  /** Resolves when all have settled, or a moment after all but abandoned ones have. */
  whenIdle(): Promise<void> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#check();
    });
  }

  /** None of them is waited for any more. */
  release(): void {
    this.#released = true;
    this.#check();
  }

  #check(): void {
    if (this.#resolve === undefined) return;
    if (this.#running === 0 || this.#released) {
      clearTimeout(this.#moment);
      this.#resolve();
    } else if (!this.busy) {
      this.#moment ??= setTimeout(this.#resolve, MOMENT);
    }
  }
}
