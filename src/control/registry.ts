/**
 * Links to control sockets that are not in the user's own folder, such as those of `--control-socket` and of a systemd
 * unit. Each link has the name of a default socket, so every reader of the folder follows it. A link is only a hint: a
 * reader checks that this user owns both ends.
 */
import { lstatSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { checkFolder, entryName, removeDeadEntries, removeFormerLinks, userFolder } from "./socket-path.ts";

/**
 * Links the control socket of this process, and removes dead entries. Does nothing for a socket that is in the folder.
 *
 * @param socket its path; a relative one starts at the working folder
 * @throws Error with the reason if the link cannot be made
 */
export async function registerSocket(socket: string): Promise<void> {
  const folder = userFolder();
  const link = join(folder, entryName(process.pid));
  const target = resolve(socket);
  if (target !== link) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    checkFolder(folder);
    // A file of this name belongs to a process that is gone, or is this one's own.
    rmSync(link, { force: true });
    symlinkSync(target, link);
  }
  const ownFolder = dirname(target);
  if (basename(target) === entryName(process.pid)) await removeDeadEntries(ownFolder);
  if (ownFolder !== folder) await removeDeadEntries(folder);
  removeFormerLinks(folder, target);
}

/** Removes the link of this process, if there is one. Never throws: the process is exiting. */
export function unregisterSocket(): void {
  const link = join(userFolder(), entryName(process.pid));
  try {
    if (lstatSync(link).isSymbolicLink()) rmSync(link, { force: true });
  } catch {
    // There is none.
  }
}
