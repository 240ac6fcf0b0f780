/** Two streams connected in memory: writes to one are read from the other, with backpressure. */
import { Duplex } from "node:stream";

class Side extends Duplex {
  /** Set once, when the pair is created. */
  other: Side | undefined;
  #resume: (() => void) | undefined;

  override _read(): void {
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  /** Receives a chunk from the other side; `done` is called when there is room for the next. */
  #receive(chunk: Uint8Array | null, done: () => void): void {
    if (this.destroyed || this.push(chunk) || chunk === null) done();
    else this.#resume = done;
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    (this.other as Side).#receive(chunk, done);
  }

  override _final(done: () => void): void {
    (this.other as Side).#receive(null, done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const other = this.other as Side;
    this.#resume?.();
    this.#resume = undefined;
    // A side that has sent and read everything just closes; otherwise its destruction destroys the other one too.
    if (!this.writableFinished || !this.readableEnded) process.nextTick(() => other.destroy());
    done(error);
  }
}

/** Creates the pair. Destroying a side before it has sent its end and read the other's destroys both. */
export function duplexPair(): [Duplex, Duplex] {
  const left = new Side({ allowHalfOpen: true });
  const right = new Side({ allowHalfOpen: true });
  left.other = right;
  right.other = left;
  return [left, right];
}
