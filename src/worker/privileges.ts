/**
 * Drops root privileges in the order group, supplementary groups, user (after the user nothing else can be
 * changed), and checks that nothing is left: no id, no group, no capability, and no way to become root again.
 */
import { readFileSync } from "node:fs";
import { ExitCode, FatalError } from "../errors.ts";
import type { Identity } from "../ipc/messages.ts";

/** The parts of `process` that change its identity; tests substitute their own. */
export interface PrivilegedProcess {
  getuid(): number;
  geteuid(): number;
  getgid(): number;
  getegid(): number;
  setgid(gid: number): void;
  setgroups(gids: number[]): void;
  initgroups(user: string | number, gid: number): void;
  setuid(uid: number): void;
  /** Linux's account of this process (proc(5)); undefined where there is none. */
  status?(): string | undefined;
}

const THIS_PROCESS = Object.assign(Object.create(process), {
  status(): string | undefined {
    try {
      return readFileSync("/proc/self/status", "latin1");
    } catch {
      return undefined;
    }
  },
}) as PrivilegedProcess;

/** Whether the process already has this identity: then there is nothing to do, and root is not needed. */
function isAlready(identity: Identity, self: PrivilegedProcess): boolean {
  const { uid = self.geteuid(), gid = self.getegid() } = identity;
  return uid === self.geteuid() && uid === self.getuid() && gid === self.getegid() && gid === self.getgid();
}

function requireRoot(self: PrivilegedProcess): void {
  if (self.geteuid() === 0) return;
  throw new FatalError(
    `only root can change the user or group, but this is user ${self.geteuid()}: start as root, or leave out --user and --group`,
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
    `after the change to user ${identity.uid} the process could become root again: the worker does not start`,
    ExitCode.failure,
  );
}

/**
 * Checks what the kernel says of this process. A process that was started with other securebits (capabilities(7)) keeps its
 * capabilities when its user changes.
 */
function requireNothingLeft({ uid, gid, groupsOf }: Identity, self: PrivilegedProcess): void {
  const status = self.status?.();
  if (status === undefined || uid === undefined || uid === 0) return;
  const words = (name: string): string[] =>
    (new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "").split(/\s+/).filter(Boolean);
  const left = [
    ...words("Uid").filter((id) => id !== String(uid)),
    ...words("Gid").filter((id) => gid !== undefined && id !== String(gid)),
    ...words("Groups").filter((id) => groupsOf === undefined && gid !== undefined && id !== String(gid)),
    ...["CapPrm", "CapEff", "CapAmb"].flatMap(words).filter((set) => /[^0]/.test(set)),
  ];
  if (left.length === 0) return;
  throw new FatalError(
    `after the change to user ${uid} the process still has other ids or capabilities (${left.join(", ")}): the worker does not start; start tsgun without securebits`,
    ExitCode.failure,
  );
}

/**
 * Changes this process to the identity for good. Bind sockets and open log files before. Throws
 * `FatalError` when the process is not root, or when the system refuses.
 */
export function dropPrivileges(identity: Identity, self = THIS_PROCESS): void {
  const { uid, gid, groupsOf } = identity;
  if (isAlready(identity, self)) return;
  requireRoot(self);
  try {
    if (gid !== undefined) {
      self.setgid(gid);
      // Do not inherit root's supplementary groups (disk, adm, …).
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
  requireNothingLeft(identity, self);
}
