/**
 * The files that the workers have loaded, and what each was when they did: plain data, by which a report of the
 * file system is judged. A file that is as the newest generation loaded it has not changed, whatever was reported.
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
   * A worker of `generation` has loaded files. Returns those that another worker of it had loaded differently:
   * between the two they have changed.
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

  /** Every worker is of this generation now: what only older ones had loaded does not matter any more. */
  established(generation: number): void {
    for (const [path, entry] of this.#entries) {
      if (entry.generation < generation) this.#entries.delete(path);
    }
  }

  /** Whether the file is not as it was loaded; each change is told once. */
  takeChange(path: string, stamp: string): boolean {
    const known = this.#entries.get(path);
    if (known === undefined || known.stamp === stamp) return false;
    this.#entries.set(path, { ...known, stamp });
    return true;
  }
}
