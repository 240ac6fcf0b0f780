/** Where control sockets are, so that `tsgun ps` and `tsgun ctl` find the servers by themselves. */
import { lstatSync, readdirSync, readlinkSync, rmSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { ExitCode, FatalError } from "../errors.ts";
import { exists, processState } from "../system/process-state.ts";
import { isAlive, removeDead } from "./socket-name.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const FILE_NAME = /^tsgun-(\d+)\.ctl$/;

/** A file that leads to the control socket of the arbiter with this pid: the socket itself, or a link to it. */
export interface SocketEntry {
  readonly path: string;
  readonly pid: number;
}

/** The folder for control sockets: systemd's RuntimeDirectory= of this unit, else the user's own folder. */
export function controlFolder(environment: Environment = process.env): string {
  return environment.RUNTIME_DIRECTORY?.split(":")[0] || userFolder(environment);
}

/** The folder where a user's servers are found: in the user's runtime folder (XDG), else in the temporary folder. */
export function userFolder(environment: Environment = process.env): string {
  const { XDG_RUNTIME_DIR } = environment;
  if (XDG_RUNTIME_DIR && !isAnothers(XDG_RUNTIME_DIR)) return join(XDG_RUNTIME_DIR, "tsgun");
  return folderIn(environment.TMPDIR || environment.TMP || environment.TEMP || "/tmp");
}

/** After `su` the variable still names the runtime folder of the user before, who may change what is in it. */
function isAnothers(folder: string): boolean {
  const uid = statSync(folder, { throwIfNoEntry: false })?.uid;
  return uid !== undefined && process.geteuid !== undefined && uid !== process.geteuid();
}

/** The user's own folder in a temporary folder has this name. */
const NAME_IN_TEMPORARY = `tsgun-${process.getuid?.() ?? "user"}`;

function folderIn(temporary: string): string {
  return join(resolve(temporary), NAME_IN_TEMPORARY);
}

/** All folders to look for the servers of this user in: a service, a login and a cron job each have another environment. */
export function controlFolders(environment: Environment = process.env): string[] {
  const folders = [
    controlFolder(environment),
    userFolder(environment),
    `/run/user/${process.getuid?.()}/tsgun`,
    userFolder({ ...environment, XDG_RUNTIME_DIR: undefined }),
    folderIn("/tmp"),
  ];
  return [...new Set(folders)];
}

/**
 * Checks a folder for control sockets. Any user can create a folder of that name in the temporary folder, with a socket
 * that impersonates a server.
 *
 * @throws FatalError if another user owns the folder, or others can write to it
 */
export function checkFolder(folder: string): void {
  if (basename(folder) !== NAME_IN_TEMPORARY) return;
  const stats = lstatSync(folder, { throwIfNoEntry: false });
  if (stats === undefined) return;
  const isOwn = stats.isDirectory() && (process.getuid === undefined || stats.uid === process.getuid());
  if (isOwn && (stats.mode & 0o022) === 0) return;
  throw new FatalError(
    `${folder} is ${isOwn ? "writable by others" : "not a folder of this user"}: remove it, or set --control-socket`,
    ExitCode.failure,
  );
}

export function isSafeFolder(folder: string): boolean {
  try {
    checkFolder(folder);
    return true;
  } catch {
    return false;
  }
}

/**
 * Returns the folder for control sockets, checked.
 *
 * @throws FatalError if the folder is not safe
 */
export function safeControlFolder(environment: Environment = process.env): string {
  const folder = controlFolder(environment);
  checkFolder(folder);
  return folder;
}

/** The name that leads to the control socket of the arbiter with this pid. */
export function entryName(pid: number): string {
  return `tsgun-${pid}.ctl`;
}

/**
 * The default control socket of the arbiter with this pid.
 *
 * @throws FatalError if its folder is not safe
 */
export function defaultControlSocket(pid: number, environment: Environment = process.env): string {
  return join(safeControlFolder(environment), entryName(pid));
}

/** Lists the control sockets in `folder` and the links to others, live or stale. */
export function listEntries(folder: string): SocketEntry[] {
  try {
    return readdirSync(folder)
      .filter((name) => FILE_NAME.test(name))
      .sort()
      .map((name) => ({ path: join(folder, name), pid: Number(FILE_NAME.exec(name)?.[1]) }));
  } catch {
    return [];
  }
}

/** Removes what killed servers left behind in `folder`. */
export async function removeDeadEntries(folder: string): Promise<void> {
  for (const { path, pid } of listEntries(folder)) if (!(await isAlive(path))) removeDead(path, pid);
}

/**
 * Removes the links in `folder` to `socket`, which this process has now, that servers before it have left: they lead to a
 * socket that answers. A killed server may be there as a zombie, until the first process of a container reaps it.
 */
export function removeFormerLinks(folder: string, socket: string): void {
  for (const { path, pid } of listEntries(folder)) {
    if (pid === process.pid || linkTarget(path) !== socket || isServing(pid)) continue;
    if (lstatSync(path, { throwIfNoEntry: false })?.uid === process.geteuid?.())
      rmSync(path, { force: true });
  }
}

function isServing(pid: number): boolean {
  return exists(pid) && processState(pid) !== "zombie";
}

/** Undefined for what is no link. */
function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
