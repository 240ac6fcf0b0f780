/** Where control sockets are, so that `tsgun ctl` finds the server without being told. */
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** The longest path of a Unix socket on Linux; macOS has 103. */
export const SOCKET_PATH_MAX = process.platform === "darwin" ? 103 : 107;

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

/** The default control socket of the arbiter with this pid. */
export function defaultControlSocket(pid: number, environment: Environment = process.env): string {
  return join(controlFolder(environment), `tsgun-${pid}.ctl`);
}

/** The control sockets in the default folder, live or left behind. */
export function listControlSockets(environment: Environment = process.env): string[] {
  const folder = controlFolder(environment);
  try {
    return readdirSync(folder)
      .filter((name) => /^tsgun-\d+\.ctl$/.test(name))
      .sort()
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}
