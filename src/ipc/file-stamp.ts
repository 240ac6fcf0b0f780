/**
 * A stamp detects a changed file without reading it. The worker that loads a file and the arbiter that watches it compare
 * stamps, so that no two clocks have to agree, not even with that of a file server.
 */
import { statSync } from "node:fs";

/** The stamp of a missing file. */
export const NO_FILE = "";

/** The current stamp of a file; follows symbolic links. */
export function fileStamp(path: string): string {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats === undefined ? NO_FILE : `${stats.mtimeMs} ${stats.size}`;
  } catch {
    // A parent is not a folder any more, or is not readable: treat the file as missing.
    return NO_FILE;
  }
}
