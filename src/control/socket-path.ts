/** Where control sockets are, so that `tsgun ctl` finds the server without being told. */
import { lstatSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ExitCode, FatalError } from "../errors.ts";
import { isAlive, removeDead } from "./socket-name.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The folder for control sockets: systemd's RuntimeDirectory= of this unit, the user's runtime folder
 * (XDG), else a folder of the user's own among the temporary files.
 */
export function controlFolder(environment: Environment = process.env): string {
  const unit = environment.RUNTIME_DIRECTORY?.split(":")[0];
  if (unit) return unit;
  if (environment.XDG_RUNTIME_DIR) return join(environment.XDG_RUNTIME_DIR, "tsgun");
  return join(tmpdir(), `tsgun-${process.getuid?.() ?? "user"}`);
}

/**
 * The same, where it is safe. Among the temporary files anybody may make a folder of any name, and whose it is may put
 * there what he likes: a socket that answers in a server's place.
 *
 * @throws FatalError where it is another user's, or open to others
 */
export function safeControlFolder(environment: Environment = process.env): string {
  const folder = controlFolder(environment);
  if (environment.RUNTIME_DIRECTORY || environment.XDG_RUNTIME_DIR) return folder;
  const stats = lstatSync(folder, { throwIfNoEntry: false });
  if (stats === undefined) return folder;
  const isOwn = stats.isDirectory() && (process.getuid === undefined || stats.uid === process.getuid());
  if (isOwn && (stats.mode & 0o022) === 0) return folder;
  throw new FatalError(
    `${folder} is ${isOwn ? "open to others" : "not this user's own"}: remove it, or say --control-socket`,
    ExitCode.failure,
  );
}

/**
 * The default control socket of the arbiter with this pid.
 *
 * @throws FatalError where its folder is not to be trusted
 */
export function defaultControlSocket(pid: number, environment: Environment = process.env): string {
  return join(safeControlFolder(environment), `tsgun-${pid}.ctl`);
}

/**
 * The control sockets in the default folder, live or left behind.
 *
 * @throws FatalError where the folder is not to be trusted
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
 * Those of them that answer; of the others, what killed servers have left behind is removed.
 *
 * @throws FatalError where the folder is not to be trusted
 */
export async function liveControlSockets(environment: Environment = process.env): Promise<string[]> {
  const alive: string[] = [];
  for (const path of listControlSockets(environment)) {
    if (await isAlive(path)) alive.push(path);
    else removeDead(path, Number(/(\d+)\.ctl$/.exec(path)?.[1]));
  }
  return alive;
}
