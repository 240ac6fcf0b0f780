/**
 * The files that the workers have loaded, with their stamps at that time: plain data that file system events are
 * checked against. A file that still is as the newest generation loaded it has not changed, whatever the event says.
 */
import type { LoadedFile } from "../../ipc/messages.ts";

interface Entry {
  readonly stamp: string;
  /** The newest generation that loaded it. */
  readonly generation: number;
}

export class WatchList {
  readonly #entries = new Map<string, Entry>();

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  paths(): string[] {
    return [...this.#entries.keys()];
  }

  has(path: string): boolean {
    return this.#entries.has(path);
  }

  /**
   * Records files that a worker of `generation` has loaded. Returns those that another worker of it loaded with a
   * different stamp: they changed in between.
   */
  loaded(generation: number, files: readonly LoadedFile[]): string[] {
    const changed: string[] = [];
    for (const { path, stamp } of files) {
      const known = this.#entries.get(path);
      if (known !== undefined && known.generation > generation) continue;
      if (known?.generation === generation && known.stamp !== stamp) changed.push(path);
      this.#entries.set(path, { stamp, generation });
    }
    return changed;
  }

  /** All workers are of this generation now: drops files that only older generations loaded. */
  established(generation: number): void {
    for (const [path, entry] of this.#entries) {
      if (entry.generation < generation) this.#entries.delete(path);
    }
  }

  /** Whether the file differs from what was loaded; true once for each change. */
  recordChange(path: string, stamp: string): boolean {
    const known = this.#entries.get(path);
    if (known === undefined || known.stamp === stamp) return false;
    this.#entries.set(path, { ...known, stamp });
    return true;
  }
}
