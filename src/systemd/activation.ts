/**
 * Socket activation: systemd bound the sockets and hands them over from descriptor 3 on
 * (sd_listen_fds(3)). The variables are for one process and are taken out of the environment at once.
 */
import { fstatSync } from "node:fs";
import { ExitCode, FatalError } from "../errors.ts";

const FIRST_FD = 3;
const UNNAMED = "unknown";

export interface ActivatedSocket {
  readonly fd: number;
  /** `FileDescriptorName=` of the socket unit; without it the unit's own name. */
  readonly name: string;
}

function requireSocket(fd: number): void {
  let found = "is not open";
  try {
    if (fstatSync(fd).isSocket()) return;
    found = "is no socket";
  } catch {
    // Said below.
  }
  throw new FatalError(
    `LISTEN_FDS promises a socket as descriptor ${fd}, which ${found}: start tsgun directly in ExecStart=`,
    ExitCode.usage,
  );
}

/** How many sockets were handed to this process; nothing is taken. */
export function countActivatedSockets(env: NodeJS.ProcessEnv = process.env, pid = process.pid): number {
  const { LISTEN_FDS: count = "0", LISTEN_PID: owner } = env;
  return owner === String(pid) && /^\d{1,4}$/.test(count) ? Number(count) : 0;
}

/**
 * The sockets handed to this process, none if there are none or they are another process's. Throws
 * `FatalError` when what is promised is not there.
 */
export function takeActivatedSockets(
  env: NodeJS.ProcessEnv = process.env,
  pid = process.pid,
): ActivatedSocket[] {
  const { LISTEN_FDS: count, LISTEN_PID: owner, LISTEN_FDNAMES: list } = env;
  delete env.LISTEN_FDS;
  delete env.LISTEN_PID;
  delete env.LISTEN_FDNAMES;
  if (count === undefined || owner !== String(pid)) return [];
  if (!/^\d{1,4}$/.test(count)) {
    throw new FatalError(`LISTEN_FDS is "${count}", which is no number of sockets`, ExitCode.usage);
  }
  const names = list?.split(":") ?? [];
  return Array.from({ length: Number(count) }, (_, index) => {
    requireSocket(FIRST_FD + index);
    return { fd: FIRST_FD + index, name: names[index] || UNNAMED };
  });
}
