/** Where the records of a user's servers are. Pure, but for looking at folders. */
import { accessSync, constants, lstatSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { userFolder } from "../control/socket-path.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const NAME = "records";

/** The folder that a server keeps its records in by default: the first that it can be given. */
export function defaultRecordFolder(environment: Environment = process.env): string {
  const { STATE_DIRECTORY } = environment;
  const unit = STATE_DIRECTORY?.split(":")[0];
  if (unit) return join(unit, NAME);
  return stateFolder(environment) ?? temporaryFolder(environment);
}

/**
 * All folders to look for records in: a service, a login and a cron job each have another environment.
 *
 * @param names of servers that may be systemd units with a StateDirectory= of that name
 */
export function recordFolders(
  environment: Environment = process.env,
  names: readonly string[] = [],
): readonly string[] {
  const folders = [
    defaultRecordFolder(environment),
    stateFolder(environment),
    stateFolder({ ...environment, XDG_STATE_HOME: undefined }),
    temporaryFolder(environment),
    temporaryFolder({}),
    ...names.filter((name) => /^[\w.-]+$/.test(name)).map((name) => join("/var/lib", name, NAME)),
  ];
  return [...new Set(folders.filter((folder) => folder !== undefined))];
}

/** Undefined if the user has no home, or may not write there. */
function stateFolder({ XDG_STATE_HOME }: Environment): string | undefined {
  if (XDG_STATE_HOME) return join(resolve(XDG_STATE_HOME), "tsgun", NAME);
  const home = homedir();
  try {
    accessSync(home, constants.W_OK);
    return join(home, ".local", "state", "tsgun", NAME);
  } catch {
    return undefined;
  }
}

function temporaryFolder(environment: Environment): string {
  return join(userFolder({ ...environment, XDG_RUNTIME_DIR: undefined }), NAME);
}

/**
 * Checks that a folder of records, and the user's folder that it is in, are this user's: anybody can create a folder of
 * that name in the temporary folder. One that does not exist is fine.
 *
 * @throws Error with the reason on one line
 */
export function checkRecordFolder(folder: string): void {
  const inTemporary = folder === temporaryFolder(process.env) || folder === temporaryFolder({});
  for (const path of inTemporary ? [dirname(folder), folder] : [folder]) {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return;
    const refuse = (what: string): never => {
      throw new Error(`${path} ${what}: remove it, or set --record-dir`);
    };
    if (stats.isSymbolicLink()) refuse("is a symbolic link");
    if (!stats.isDirectory()) refuse("is not a folder");
    if (process.getuid !== undefined && stats.uid !== process.getuid()) refuse("belongs to another user");
    if ((stats.mode & 0o022) !== 0) refuse("is writable by others");
  }
}
