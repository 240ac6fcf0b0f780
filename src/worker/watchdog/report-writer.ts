/**
 * Writes lines to a descriptor at once: what the thread has to say must not wait for a loop, and it may be about to kill
 * the process.
 */
import { writeSync } from "node:fs";

const WRITE_TRIES = 500;
const WRITE_RETRY_MS = 1;

export class ReportWriter {
  readonly #sleep = new Int32Array(new SharedArrayBuffer(4));
  /** The last line was not written to its end. */
  #isCut = false;

  /**
   * Writes a line, and waits up to half a second while a non-blocking pipe is full. A line that is then cut is ended before the
   * next one, so that no more than that line is lost. Returns false if nobody reads (EPIPE).
   */
  write(fd: number, line: string): boolean {
    const bytes = Buffer.from(this.#isCut ? `\n${line}` : line);
    let sent = 0;
    for (let tries = 0; sent < bytes.length && tries < WRITE_TRIES; ) {
      try {
        sent += writeSync(fd, bytes, sent);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return false;
        tries++;
        Atomics.wait(this.#sleep, 0, 0, WRITE_RETRY_MS);
      }
    }
    if (sent > 0) this.#isCut = sent < bytes.length;
    return true;
  }
}
