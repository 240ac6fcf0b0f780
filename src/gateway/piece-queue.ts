/** Pieces that one side pushes and the other iterates over, one at a time: a push waits until its piece has been taken. */

interface Waiting {
  readonly piece: string | Uint8Array;
  readonly taken: () => void;
  readonly failed: (error: Error) => void;
}

export class PieceQueue implements AsyncIterable<string | Uint8Array> {
  readonly #waiting: Waiting[] = [];
  #isEnded = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  /** Resolves when the piece has been taken. Rejects if it never will be. */
  push(piece: string | Uint8Array): Promise<void> {
    const pushed = new Promise<void>((taken, failed) => {
      if (this.#error !== undefined) failed(this.#error);
      else this.#waiting.push({ piece, taken, failed });
    });
    // A caller that ignores it learns of the failure in other ways.
    pushed.catch(() => {});
    this.#wake?.();
    return pushed;
  }

  /** No more pieces follow. */
  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  /** Nothing is taken any more: rejects all pushes, and ends the iteration with the error. The first one counts. */
  fail(error: Error): void {
    this.#error ??= error;
    for (const { failed } of this.#waiting.splice(0)) failed(error);
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string | Uint8Array, void> {
    try {
      for (;;) {
        if (this.#error !== undefined) throw this.#error;
        const next = this.#waiting.shift();
        if (next !== undefined) {
          next.taken();
          yield next.piece;
        } else if (this.#isEnded) return;
        else
          await new Promise<void>((wake) => {
            this.#wake = wake;
          });
      }
    } finally {
      // Whatever read it has stopped.
      this.fail(this.#error ?? new Error("the rest of the content is not wanted"));
    }
  }
}
