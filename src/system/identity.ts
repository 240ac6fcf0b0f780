/**
 * Who the workers are to be, and whose the files are: names become numbers while the arbiter is root, and a
 * Unix socket gets its owner and its mode. The workers themselves give the privileges up.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, fchownSync, readFileSync } from "node:fs";
import type { Config } from "../config/settings.ts";
import { ExitCode, FatalError } from "../errors.ts";
import type { Identity } from "../ipc/messages.ts";

export interface IdentityOptions {
  /** Name or number (`--user`). */
  readonly user?: string | number;
  /** Name or number (`--group`); without it, the user's own group. */
  readonly group?: string | number;
  /** The user's supplementary groups as well (`--initgroups`); otherwise there are none left. */
  readonly initgroups?: boolean;
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
      `user ${user} has no account, hence no group: add one with ${flags.group}`,
      ExitCode.usage,
    );
  }
  const uid = account?.uid ?? Number(user);
  return { uid, gid: primary, ...(initgroups ? { groupsOf: account?.name ?? uid } : {}) };
}

/** The parts of `process` that say who it is. */
export type Self = Pick<typeof process, "getuid" | "geteuid" | "getgid" | "getegid">;

/**
 * Checks that a process of this one's privileges can become `identity`.
 * @throws FatalError (usage) when only root could.
 */
export function requireMayBecome(identity: Identity, self: Self = process): void {
  const { uid, gid } = identity;
  const me = self.geteuid?.();
  const same = (uid ?? me) === me && (gid ?? self.getegid?.()) === self.getegid?.();
  if (same || me === 0) return;
  throw new FatalError(
    `only root can change the user or group, and this is user ${me}: start as root, or leave out --user and --group`,
    ExitCode.usage,
  );
}

/**
 * Whom the workers become by the settings.
 * @throws FatalError (usage) for names nobody has, and when only root could.
 */
export function workerIdentity(config: Pick<Config, "user" | "group" | "initgroups">): Identity {
  const { user, group, initgroups } = config;
  const identity = resolveIdentity({
    initgroups,
    ...(user === undefined ? {} : { user }),
    ...(group === undefined ? {} : { group }),
  });
  requireMayBecome(identity);
  return identity;
}

export interface SocketOwnership {
  /** Permission bits, 0o660 for example. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * What becomes of a Unix socket's file by the settings: undefined when nothing is to be done.
 * @throws FatalError (usage) for names nobody has.
 */
export function socketOwnership(
  config: Pick<Config, "socketMode" | "socketOwner">,
  workers: Identity,
): SocketOwnership | undefined {
  const owner = config.socketOwner === undefined ? workers : ownerNamed(config.socketOwner);
  const ownership: SocketOwnership = {
    ...(config.socketMode === undefined ? {} : { mode: config.socketMode }),
    ...(owner.uid === undefined ? {} : { uid: owner.uid }),
    ...(owner.gid === undefined ? {} : { gid: owner.gid }),
  };
  return Object.keys(ownership).length === 0 ? undefined : ownership;
}

/** `user`, `user:group` or `:group`. */
function ownerNamed(text: string): Identity {
  const [user = "", group = ""] = text.split(":");
  const flags = { user: "--socket-owner", group: "--socket-owner" };
  const options = { ...(user === "" ? {} : { user }), ...(group === "" ? {} : { group }) };
  return resolveIdentity(options, ACCOUNT_FILES, flags);
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

/**
 * Gives an open file to the workers, who open it by its name, `path`, themselves.
 * @throws FatalError
 */
export function giveFile(fd: number, path: string, { uid, gid }: Identity): void {
  if (process.geteuid?.() !== 0 || (uid === undefined && gid === undefined)) return;
  try {
    fchownSync(fd, uid ?? -1, gid ?? -1);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new FatalError(`cannot give ${path} to the workers' user (${code})`, ExitCode.failure, {
      cause: error,
    });
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
