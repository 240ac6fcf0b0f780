/**
 * Memory shared by a worker's main thread and its watchdog thread. Each cell has one writer, so there are no locks.
 * The main thread writes its beats and that it exits, the watchdog whether it is attached and has an examination to send.
 */

const BEATS = 0;
const DEBUGGER = 1;
const ATTACHED = 2;
const LEAVING = 3;
const HOLDING = 4;
const CELLS = 5;

export class Heartbeat {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: Int32Array;

  /** Allocates the buffer if none is given (in the main thread). */
  constructor(buffer = new SharedArrayBuffer(CELLS * Int32Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#cells = new Int32Array(buffer);
  }

  /** Records a turn of the loop, and whether a debugger is open on it. */
  beat(debuggerOpen: boolean): void {
    Atomics.store(this.#cells, DEBUGGER, debuggerOpen ? 1 : 0);
    Atomics.add(this.#cells, BEATS, 1);
  }

  /** A count that changes with every beat (it wraps around). */
  get beats(): number {
    return Atomics.load(this.#cells, BEATS);
  }

  /** Whether the watchdog has a session with the main thread's inspector. */
  get attached(): boolean {
    return Atomics.load(this.#cells, ATTACHED) === 1;
  }

  set attached(attached: boolean) {
    Atomics.store(this.#cells, ATTACHED, attached ? 1 : 0);
  }

  /**
   * Records that the watchdog attaches from now on; returns false if the main thread is exiting, so that it must not. One
   * of the two always sees the other: each writes its own cell before it reads the other's.
   */
  attach(): boolean {
    this.attached = true;
    if (Atomics.load(this.#cells, LEAVING) === 0) return true;
    this.attached = false;
    return false;
  }

  /** The main thread exits; returns whether the watchdog is attached or about to be. */
  leave(): boolean {
    Atomics.store(this.#cells, LEAVING, 1);
    return this.attached;
  }

  /** Whether the watchdog has an examination to send that was under way when the main thread began to exit. */
  get holding(): boolean {
    return Atomics.load(this.#cells, HOLDING) === 1;
  }

  set holding(holding: boolean) {
    Atomics.store(this.#cells, HOLDING, holding ? 1 : 0);
  }

  /** A loop stopped at a breakpoint is not stalled. */
  get debuggerOpen(): boolean {
    return Atomics.load(this.#cells, DEBUGGER) === 1;
  }
}
