/** Locations of control sockets, so that `tsgun ctl` finds the server by itself. */
import { lstatSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ExitCode, FatalError } from "../errors.ts";
import { isAlive, removeDead } from "./socket-name.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The folder for control sockets: systemd's RuntimeDirectory= of this unit, else the user's runtime folder (XDG), else a
 * per-user folder in the temporary directory.
 */
export function controlFolder(environment: Environment = process.env): string {
  const unit = environment.RUNTIME_DIRECTORY?.split(":")[0];
  if (unit) return unit;
  if (environment.XDG_RUNTIME_DIR) return join(environment.XDG_RUNTIME_DIR, "tsgun");
  return join(tmpdir(), `tsgun-${process.getuid?.() ?? "user"}`);
}

/**
 * Returns the same folder, checked. Any user can create a folder of that name in the temporary directory, with a socket
 * that impersonates a server.
 *
 * @throws FatalError if another user owns the folder, or others can write to it
 */
export function safeControlFolder(environment: Environment = process.env): string {
  const folder = controlFolder(environment);
  if (environment.RUNTIME_DIRECTORY || environment.XDG_RUNTIME_DIR) return folder;
  const stats = lstatSync(folder, { throwIfNoEntry: false });
  if (stats === undefined) return folder;
  const isOwn = stats.isDirectory() && (process.getuid === undefined || stats.uid === process.getuid());
  if (isOwn && (stats.mode & 0o022) === 0) return folder;
  throw new FatalError(
    `${folder} is ${isOwn ? "writable by others" : "not a folder of this user"}: remove it, or set --control-socket`,
    ExitCode.failure,
  );
}

/**
 * The default control socket of the arbiter with this pid.
 *
 * @throws FatalError if its folder is not safe
 */
export function defaultControlSocket(pid: number, environment: Environment = process.env): string {
  return join(safeControlFolder(environment), `tsgun-${pid}.ctl`);
}

/**
 * Lists the control sockets in the default folder, live or stale.
 *
 * @throws FatalError if the folder is not safe
 */
export function listControlSockets(environment: Environment = process.env): string[] {
  const folder = safeControlFolder(environment);
  try {
    return readdirSync(folder)
      .filter((name) => /^tsgun-\d+\.ctl$/.test(name))
      .sort()
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

/**
 * Lists the control sockets that accept connections, and removes those that killed servers left behind.
 *
 * @throws FatalError if the folder is not safe
 */
export async function liveControlSockets(environment: Environment = process.env): Promise<string[]> {
  const alive: string[] = [];
  for (const path of listControlSockets(environment)) {
    if (await isAlive(path)) alive.push(path);
    else removeDead(path, Number(/(\d+)\.ctl$/.exec(path)?.[1]));
  }
  return alive;
}
