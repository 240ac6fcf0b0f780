/**
 * The user and group of workers and files. Names are resolved to numbers while the arbiter is root, and Unix sockets get
 * their owner and mode. The workers drop privileges themselves.
 */
import { spawnSync } from "node:child_process";
import { fchownSync, fstatSync, readFileSync } from "node:fs";
import type { Config } from "../config/settings.ts";
import { ExitCode, FatalError } from "../errors.ts";
import type { Identity } from "../ipc/messages.ts";
import { type FileAccess, NotTheSocket, setSocketAccess } from "./unix-socket.ts";

export interface IdentityOptions {
  /** Name or number (`--user`). */
  readonly user?: string | number;
  /** Name or number (`--group`); without it, the user's own group. */
  readonly group?: string | number;
  /** Keep the user's supplementary groups (`--initgroups`); otherwise all are dropped. */
  readonly initgroups?: boolean;
}

/** The files in which accounts are looked up first; directories (LDAP) are queried through system commands. */
export interface AccountFiles {
  readonly passwd: string;
  readonly group: string;
}

const ACCOUNT_FILES: AccountFiles = { passwd: "/etc/passwd", group: "/etc/group" };
const LOOKUP_TIMEOUT_MS = 5000;

interface Account {
  uid: number;
  gid: number;
  name?: string;
}

function findEntry(file: string, matches: (fields: string[]) => boolean): string[] | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
  return text
    .split("\n")
    .map((line) => line.split(":"))
    .find(matches);
}

function query(command: string, ...args: string[]): string | undefined {
  const { status, stdout } = spawnSync(command, args, { encoding: "utf8", timeout: LOOKUP_TIMEOUT_MS });
  return status === 0 ? stdout.trim() : undefined;
}

function isNumber(value: string | number): boolean {
  return typeof value === "number" || /^\d+$/.test(value);
}

function findUser(user: string | number, files: AccountFiles): Account | undefined {
  const byNumber = isNumber(user);
  const fields = findEntry(files.passwd, ([name, , uid]) =>
    byNumber ? uid === String(user) : name === user,
  );
  if (fields !== undefined) {
    const [name, , uid, gid] = fields;
    return { uid: Number(uid), gid: Number(gid), name: name as string };
  }
  // `id` would take such a name as an option.
  if (String(user).startsWith("-")) return undefined;
  const [uid, gid] = [query("id", "-u", String(user)), query("id", "-g", String(user))];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

function findGroup(group: string | number, files: AccountFiles): number | undefined {
  if (isNumber(group)) return Number(group);
  const name = String(group);
  const fields = findEntry(files.group, ([found]) => found === name);
  if (fields !== undefined) return Number(fields[2]);
  if (name.startsWith("-")) return undefined;
  const entry = query("getent", "group", name)?.split(":")[2];
  const directory =
    entry ?? /(\d+)/.exec(query("dscl", ".", "-read", `/Groups/${name}`, "PrimaryGroupID") ?? "")?.[1];
  return directory === undefined ? undefined : Number(directory);
}

/**
 * Resolves names to numbers. A number without an account is used as it is, if `group` is given (usual in containers).
 * @throws FatalError (usage) for unknown names
 */
export function resolveIdentity(
  options: IdentityOptions,
  files = ACCOUNT_FILES,
  flags = { user: "--user", group: "--group" },
): Identity {
  const { user, group, initgroups = false } = options;
  const gid = group === undefined ? undefined : findGroup(group, files);
  if (group !== undefined && gid === undefined) {
    throw new FatalError(
      `there is no group "${group}" on this machine: check ${flags.group}`,
      ExitCode.usage,
    );
  }
  if (user === undefined) return gid === undefined ? {} : { gid };
  const account = findUser(user, files);
  if (account === undefined && !isNumber(user)) {
    throw new FatalError(`there is no user "${user}" on this machine: check ${flags.user}`, ExitCode.usage);
  }
  const primary = gid ?? account?.gid;
  if (primary === undefined) {
    throw new FatalError(
      `user ${user} has no account, so no group is known: add one with ${flags.group}`,
      ExitCode.usage,
    );
  }
  const uid = account?.uid ?? Number(user);
  return { uid, gid: primary, ...(initgroups ? { groupsOf: account?.name ?? uid } : {}) };
}

/** The parts of `process` that return its user and group. */
export type ProcessIds = Pick<typeof process, "getuid" | "geteuid" | "getgid" | "getegid">;

/**
 * Checks that this process has the privileges to switch to `identity`.
 * @throws FatalError (usage) if only root can
 */
export function requirePrivileges(identity: Identity, self: ProcessIds = process): void {
  const { uid, gid } = identity;
  const me = self.geteuid?.();
  const isUnchanged = (uid ?? me) === me && (gid ?? self.getegid?.()) === self.getegid?.();
  if (isUnchanged || me === 0) return;
  throw new FatalError(
    `only root can change the user or group, but this is user ${me}: start as root, or leave out --user and --group`,
    ExitCode.usage,
  );
}

/**
 * The workers' user and group according to the settings.
 * @throws FatalError (usage) for unknown names, or if only root can switch to them
 */
export function workerIdentity(config: Pick<Config, "user" | "group" | "initgroups">): Identity {
  const { user, group, initgroups } = config;
  const identity = resolveIdentity({
    initgroups,
    ...(user === undefined ? {} : { user }),
    ...(group === undefined ? {} : { group }),
  });
  requirePrivileges(identity);
  return identity;
}

export type SocketOwnership = FileAccess;

/**
 * Owner and mode of a Unix socket according to the settings; undefined if neither changes.
 * @throws FatalError (usage) for unknown names
 */
export function socketOwnership(
  config: Pick<Config, "socketMode" | "socketOwner">,
  workers: Identity,
): SocketOwnership | undefined {
  const owner = config.socketOwner === undefined ? workers : parseOwner(config.socketOwner);
  const ownership: SocketOwnership = {
    ...(config.socketMode === undefined ? {} : { mode: config.socketMode }),
    ...(owner.uid === undefined ? {} : { uid: owner.uid }),
    ...(owner.gid === undefined ? {} : { gid: owner.gid }),
  };
  return Object.keys(ownership).length === 0 ? undefined : ownership;
}

/** Parses `user`, `user:group` or `:group`. */
function parseOwner(text: string): Identity {
  const [user = "", group = ""] = text.split(":");
  const flags = { user: "--socket-owner", group: "--socket-owner" };
  const options = { ...(user === "" ? {} : { user }), ...(group === "" ? {} : { group }) };
  return resolveIdentity(options, ACCOUNT_FILES, flags);
}

/**
 * Sets the owner and mode of a Unix socket. Bind it under `withUmask(0o177, …)`, so that it is never open to more users
 * than in the end.
 * @throws FatalError
 */
export function ownSocket(path: string, ownership: SocketOwnership): void {
  try {
    setSocketAccess(path, ownership);
  } catch (error) {
    if (error instanceof NotTheSocket) throw new FatalError(error.message, ExitCode.failure);
    const { code } = error as NodeJS.ErrnoException;
    const advice = code === "EPERM" ? "only root can change a file's owner" : "check its directory";
    throw new FatalError(
      `cannot set the owner or mode of the socket ${path} (${code}): ${advice}`,
      ExitCode.failure,
      { cause: error },
    );
  }
}

/**
 * Makes the workers' user the owner of an open file, because the workers open it by its name, `path`, themselves.
 * @throws FatalError
 */
export function chownFile(fd: number, path: string, { uid, gid }: Identity): void {
  if (process.geteuid?.() !== 0 || (uid === undefined && gid === undefined)) return;
  const stats = fstatSync(fd);
  if (stats.isFile() && stats.nlink > 1 && stats.uid !== (uid ?? stats.uid)) {
    throw new FatalError(
      `${path} has another name (it is a hard link) and is not the workers' user's: remove it, or name another file`,
      ExitCode.usage,
    );
  }
  try {
    fchownSync(fd, uid ?? -1, gid ?? -1);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new FatalError(`cannot give ${path} to the workers' user (${code})`, ExitCode.failure, {
      cause: error,
    });
  }
}

/** Runs `make` under another umask. Synchronous, so that no other file is created under it. */
export function withUmask<T>(mask: number, make: () => T): T {
  const before = process.umask(mask);
  try {
    return make();
  } finally {
    process.umask(before);
  }
}
