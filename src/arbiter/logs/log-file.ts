/** A log file as the arbiter sees it: made before anybody writes to it, and given to the workers, who open it by its name. */
import { accessSync, closeSync, constants, existsSync, fstatSync } from "node:fs";
import { dirname } from "node:path";
import { ExitCode, FatalError } from "../../errors.ts";
import type { Identity } from "../../ipc/messages.ts";
import { followLinks, openAppending } from "../../log/appended-file.ts";
import { giveFile } from "../../system/identity.ts";

/**
 * Makes sure that a log file can be written, by the workers too. `setting` names who wants it.
 *
 * @throws FatalError (usage)
 */
export function makeLogFile(setting: string, file: string, identity: Identity): void {
  let fd: number;
  try {
    fd = openAppending(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENXIO" ? "nobody reads this pipe" : message;
    throw new FatalError(`${setting}: cannot write ${file}: ${why}`, ExitCode.usage, { cause: error });
  }
  try {
    if (fstatSync(fd).isFile()) giveFile(fd, file, identity);
  } finally {
    closeSync(fd);
  }
}

/**
 * Looks whether this process could write a log file, and makes none.
 *
 * @throws FatalError (usage)
 */
export function checkLogFile(setting: string, file: string): void {
  try {
    const { path } = followLinks(file);
    accessSync(existsSync(path) ? path : dirname(path), constants.W_OK);
  } catch (error) {
    const message = `${setting}: cannot write ${file}: ${(error as Error).message}`;
    throw new FatalError(message, ExitCode.usage, { cause: error });
  }
}
