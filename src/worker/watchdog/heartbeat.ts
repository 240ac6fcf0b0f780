/**
 * The memory that a worker's main thread and its watchdog thread share. Each cell has one writer: no lock,
 * nothing to wait for. The main thread writes its beats, the watchdog whether it is attached.
 */

const BEATS = 0;
const DEBUGGER = 1;
const ATTACHED = 2;
const CELLS = 3;

export class Heartbeat {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: Int32Array;

  /** Without a buffer (in the main thread) it makes one. */
  constructor(buffer = new SharedArrayBuffer(CELLS * Int32Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#cells = new Int32Array(buffer);
  }

  /** Says that the loop turns, and whether somebody has a debugger open on it. */
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

  /** A person at a breakpoint is no stall. */
  get debuggerOpen(): boolean {
    return Atomics.load(this.#cells, DEBUGGER) === 1;
  }
}
