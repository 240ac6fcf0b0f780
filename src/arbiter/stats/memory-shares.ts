/**
 * The proportional memory of workers, read when somebody asks: the kernel walks a process's whole memory for it. A reading
 * serves for some seconds, and one that hangs in the kernel is not begun again.
 */
import { proportionalSetSize } from "../../system/process-use.ts";
import { settledWithin } from "../settled-within.ts";

const FRESH_MS = 4000;
/** Answers do not wait longer for new readings. */
const MAX_WAIT_MS = 60;

interface Reading {
  bytes: number | undefined;
  at: number;
  pending: Promise<void> | undefined;
}

export class MemoryShares {
  readonly #read: (pid: number) => Promise<number | undefined>;
  readonly #readings = new Map<number, Reading>();

  constructor(read: (pid: number) => Promise<number | undefined> = proportionalSetSize) {
    this.#read = read;
  }

  /** Reads those of these processes that are not known, and forgets all others. Resolves within a moment, whatever hangs. */
  async refresh(pids: readonly number[]): Promise<void> {
    for (const pid of [...this.#readings.keys()]) if (!pids.includes(pid)) this.#readings.delete(pid);
    const pending = pids.map((pid) => this.#refresh(pid));
    await settledWithin(Promise.all(pending), MAX_WAIT_MS);
  }

  /** Bytes; null if unknown, or not read for some seconds. */
  of(pid: number | undefined): number | null {
    const reading = pid === undefined ? undefined : this.#readings.get(pid);
    if (reading === undefined || performance.now() - reading.at > 2 * FRESH_MS) return null;
    return reading.bytes ?? null;
  }

  #refresh(pid: number): Promise<void> | undefined {
    const known = this.#readings.get(pid);
    if (known?.pending !== undefined) return known.pending;
    if (known !== undefined && performance.now() - known.at < FRESH_MS) return undefined;
    const reading: Reading = known ?? { bytes: undefined, at: Number.NEGATIVE_INFINITY, pending: undefined };
    this.#readings.set(pid, reading);
    reading.pending = this.#read(pid).then((bytes) => {
      reading.bytes = bytes;
      reading.at = performance.now();
      reading.pending = undefined;
    });
    return reading.pending;
  }
}
