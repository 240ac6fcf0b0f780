/**
 * What tells one content of a file from another without reading it. The worker that loads a file and the arbiter
 * that watches it compare stamps, so that no clock has to agree with another: not even with a file server's.
 */
import { statSync } from "node:fs";

/** The stamp of a file that is not there. */
export const NO_FILE = "";

/** The stamp of a file as it is now; follows links. */
export function fileStamp(path: string): string {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats === undefined ? NO_FILE : `${stats.mtimeMs} ${stats.size}`;
  } catch {
    // A folder on the way is a file now, or may not be read: as good as not there.
    return NO_FILE;
  }
}
