/**
 * The server's pid file during an upgrade: the new arbiter's is named `FILE.2` until the old one is gone, and then takes
 * its name.
 */
import { resolve } from "node:path";
import type { ErrorLog } from "../../log/error-log.ts";
import { PidFile } from "../../system/pid-file.ts";

export class ServerPidFile {
  /** Absolute: the configuration's `--pid`. */
  readonly #path: string | undefined;
  readonly #predecessorPid: number | undefined;
  readonly #log: ErrorLog;
  #file: PidFile | undefined;

  /** @param path `--pid`; undefined for no pid file */
  constructor(path: string | undefined, predecessorPid: number | undefined, log: ErrorLog) {
    this.#path = path === undefined ? undefined : resolve(path);
    this.#predecessorPid = predecessorPid;
    this.#log = log;
  }

  /** @throws FatalError if the file belongs to a running server or cannot be written */
  claim(): void {
    if (this.#path === undefined) return;
    this.#file = PidFile.claim(this.#predecessorPid === undefined ? this.#path : `${this.#path}.2`);
  }

  /** The predecessor is gone: takes its file's name. A failure is logged. */
  takeName(): void {
    if (this.#path === undefined) return;
    try {
      this.#file?.rename(this.#path, this.#predecessorPid);
    } catch (error) {
      this.#log.error((error as Error).message);
    }
  }

  /** Deletes the file that a successor left behind. */
  clearUpAfter(successorPid: number): void {
    if (this.#file !== undefined) PidFile.clearUp(`${this.#file.path}.2`, successorPid);
  }

  remove(): void {
    this.#file?.remove();
  }
}
