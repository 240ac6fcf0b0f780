/**
 * Socket activation: systemd binds the sockets and passes them as descriptors from 3 on (sd_listen_fds(3)). The
 * variables are meant for one process, so they are removed from the environment at once.
 */
import { fstatSync } from "node:fs";
import { ExitCode, FatalError } from "../errors.ts";
import { FIRST_INHERITED_FD } from "../native/descriptors.ts";

const UNNAMED = "unknown";

export interface ActivatedSocket {
  readonly fd: number;
  /** `FileDescriptorName=` of the socket unit, or by default the unit's name. */
  readonly name: string;
}

function requireSocket(fd: number): void {
  let found = "is not open";
  try {
    if (fstatSync(fd).isSocket()) return;
    found = "is not a socket";
  } catch {
    // Reported below.
  }
  throw new FatalError(
    `LISTEN_FDS announces a socket as descriptor ${fd}, which ${found}: start tsgun directly in ExecStart=`,
    ExitCode.usage,
  );
}

/** Counts the sockets passed to this process, without claiming them. */
export function countActivatedSockets(env: NodeJS.ProcessEnv = process.env, pid = process.pid): number {
  const { LISTEN_FDS: count = "0", LISTEN_PID: owner } = env;
  return owner === String(pid) && /^\d{1,4}$/.test(count) ? Number(count) : 0;
}

/**
 * Claims the sockets passed to this process; returns none if there are none or they are for another process.
 * @throws FatalError if an announced socket is missing
 */
export function claimActivatedSockets(
  env: NodeJS.ProcessEnv = process.env,
  pid = process.pid,
): ActivatedSocket[] {
  const { LISTEN_FDS: count, LISTEN_PID: owner, LISTEN_FDNAMES: list } = env;
  delete env.LISTEN_FDS;
  delete env.LISTEN_PID;
  delete env.LISTEN_FDNAMES;
  if (count === undefined || owner !== String(pid)) return [];
  if (!/^\d{1,4}$/.test(count)) {
    throw new FatalError(`LISTEN_FDS is "${count}", which is not a number of sockets`, ExitCode.usage);
  }
  const names = list?.split(":") ?? [];
  return Array.from({ length: Number(count) }, (_, index) => {
    requireSocket(FIRST_INHERITED_FD + index);
    return { fd: FIRST_INHERITED_FD + index, name: names[index] || UNNAMED };
  });
}
