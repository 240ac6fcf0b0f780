/**
 * From root to somebody: names become numbers while root, then group, supplementary groups and user go in
 * that order (after the user nothing else may be changed), and it is checked that there is no way back.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, readFileSync } from "node:fs";
import { ExitCode, FatalError } from "../errors.ts";

export interface IdentityOptions {
  /** Name or number (`--user`). */
  readonly user?: string | number;
  /** Name or number (`--group`); without it, the user's own group. */
  readonly group?: string | number;
  /** The user's supplementary groups as well (`--initgroups`); otherwise there are none left. */
  readonly initgroups?: boolean;
}

export interface Identity {
  readonly uid?: number;
  readonly gid?: number;
  /** Whose supplementary groups to take. */
  readonly groupsOf?: string | number;
}

/** The parts of `process` that change who it is; a test puts its own in place. */
export interface PrivilegedProcess {
  getuid(): number;
  geteuid(): number;
  getgid(): number;
  getegid(): number;
  setgid(gid: number): void;
  setgroups(gids: number[]): void;
  initgroups(user: string | number, gid: number): void;
  setuid(uid: number): void;
}

/** Where accounts are looked up first; directories (LDAP) are asked through the system's own commands. */
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

function lineOf(file: string, matches: (fields: string[]) => boolean): string[] | undefined {
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

function ask(command: string, ...args: string[]): string | undefined {
  const { status, stdout } = spawnSync(command, args, { encoding: "utf8", timeout: LOOKUP_TIMEOUT_MS });
  return status === 0 ? stdout.trim() : undefined;
}

function isNumber(value: string | number): boolean {
  return typeof value === "number" || /^\d+$/.test(value);
}

function findUser(user: string | number, files: AccountFiles): Account | undefined {
  const byNumber = isNumber(user);
  const fields = lineOf(files.passwd, ([name, , uid]) => (byNumber ? uid === String(user) : name === user));
  if (fields !== undefined) {
    const [name, , uid, gid] = fields;
    return { uid: Number(uid), gid: Number(gid), name: name as string };
  }
  // `id` takes no names that look like options.
  if (String(user).startsWith("-")) return undefined;
  const [uid, gid] = [ask("id", "-u", String(user)), ask("id", "-g", String(user))];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

function findGroup(group: string | number, files: AccountFiles): number | undefined {
  if (isNumber(group)) return Number(group);
  const name = String(group);
  const fields = lineOf(files.group, ([found]) => found === name);
  if (fields !== undefined) return Number(fields[2]);
  if (name.startsWith("-")) return undefined;
  const entry = ask("getent", "group", name)?.split(":")[2];
  const directory =
    entry ?? /(\d+)/.exec(ask("dscl", ".", "-read", `/Groups/${name}`, "PrimaryGroupID") ?? "")?.[1];
  return directory === undefined ? undefined : Number(directory);
}

/**
 * Turns names into numbers. A number that belongs to no account is taken as it is, with `group`
 * (containers run so). Throws `FatalError` for names nobody has.
 */
export function resolveIdentity(options: IdentityOptions, files = ACCOUNT_FILES): Identity {
  const { user, group, initgroups = false } = options;
  const gid = group === undefined ? undefined : findGroup(group, files);
  if (group !== undefined && gid === undefined) {
    throw new FatalError(`there is no group "${group}" on this machine: check --group`, ExitCode.usage);
  }
  if (user === undefined) return gid === undefined ? {} : { gid };
  const account = findUser(user, files);
  if (account === undefined && !isNumber(user)) {
    throw new FatalError(`there is no user "${user}" on this machine: check --user`, ExitCode.usage);
  }
  const primary = gid ?? account?.gid;
  if (primary === undefined) {
    throw new FatalError(`user ${user} has no account, hence no group: add --group`, ExitCode.usage);
  }
  const uid = account?.uid ?? Number(user);
  return { uid, gid: primary, ...(initgroups ? { groupsOf: account?.name ?? uid } : {}) };
}

/** Whether the process is this identity already; then nothing has to be done and nobody has to be root. */
function isAlready(identity: Identity, self: PrivilegedProcess): boolean {
  const { uid = self.geteuid(), gid = self.getegid() } = identity;
  return uid === self.geteuid() && uid === self.getuid() && gid === self.getegid() && gid === self.getgid();
}

function requireRoot(self: PrivilegedProcess): void {
  if (self.geteuid() === 0) return;
  throw new FatalError(
    `only root can change the user or group, and this is user ${self.geteuid()}: start as root, or leave out --user and --group`,
    ExitCode.usage,
  );
}

function requireNoWayBack(identity: Identity, self: PrivilegedProcess): void {
  if (identity.uid === undefined || identity.uid === 0) return;
  try {
    self.setuid(0);
  } catch {
    return;
  }
  throw new FatalError(
    `after the change to user ${identity.uid} the process could become root again: not served`,
    ExitCode.failure,
  );
}

/**
 * Makes this process that identity for good. Bind sockets and open log files before it. Throws
 * `FatalError` when the process is not root, or when the system refuses.
 */
export function dropPrivileges(identity: Identity, self = process as unknown as PrivilegedProcess): void {
  const { uid, gid, groupsOf } = identity;
  if (isAlready(identity, self)) return;
  requireRoot(self);
  try {
    if (gid !== undefined) {
      self.setgid(gid);
      // Root's supplementary groups (disk, adm, …) are not inherited by accident.
      self.setgroups([gid]);
      if (groupsOf !== undefined) self.initgroups(groupsOf, gid);
    }
    if (uid !== undefined) self.setuid(uid);
  } catch (error) {
    throw new FatalError(
      `cannot become user ${uid ?? self.getuid()}, group ${gid ?? self.getgid()}: ${(error as Error).message}`,
      ExitCode.failure,
      { cause: error },
    );
  }
  requireNoWayBack(identity, self);
}

export interface SocketOwnership {
  /** Permission bits, 0o660 for example. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * Gives a Unix socket's file its owner and its mode. Bind under `withUmask(0o177, …)` before, so that it
 * is never open to more people than in the end. Throws `FatalError`.
 */
export function ownSocket(path: string, { mode, uid, gid }: SocketOwnership): void {
  try {
    if (uid !== undefined || gid !== undefined) chownSync(path, uid ?? -1, gid ?? -1);
    if (mode !== undefined) chmodSync(path, mode);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const advice = code === "EPERM" ? "only root can give files away" : "check its directory";
    throw new FatalError(
      `cannot set the owner or mode of the socket ${path} (${code}): ${advice}`,
      ExitCode.failure,
      { cause: error },
    );
  }
}

/** Runs `make` under another umask; synchronous, so that nothing else is made under it. */
export function withUmask<T>(mask: number, make: () => T): T {
  const before = process.umask(mask);
  try {
    return make();
  } finally {
    process.umask(before);
  }
}
