/** Two streams joined in memory: what is written to one is read from the other, with its backpressure. */
import { Duplex } from "node:stream";

class Side extends Duplex {
  /** Set once, when the pair is made. */
  other: Side | undefined;
  #resume: (() => void) | undefined;

  override _read(): void {
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  /** Takes what the other side writes; `done` is called when there is room again. */
  #take(chunk: Uint8Array | null, done: () => void): void {
    if (this.destroyed || this.push(chunk) || chunk === null) done();
    else this.#resume = done;
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    (this.other as Side).#take(chunk, done);
  }

  override _final(done: () => void): void {
    (this.other as Side).#take(null, done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const other = this.other as Side;
    this.#resume?.();
    this.#resume = undefined;
    // A side that has sent everything and read everything just closes; otherwise the other one is cut off.
    if (!this.writableFinished || !this.readableEnded) process.nextTick(() => other.destroy());
    done(error);
  }
}

/** Makes the pair. A side that is destroyed before it has sent its end and read the other's breaks both. */
export function duplexPair(): [Duplex, Duplex] {
  const left = new Side({ allowHalfOpen: true });
  const right = new Side({ allowHalfOpen: true });
  left.other = right;
  right.other = left;
  return [left, right];
}
