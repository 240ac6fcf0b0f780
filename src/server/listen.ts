/**
 * Listening on a socket that the arbiter bound. The descriptor is inherited, so connections are
 * accepted in this process, by the kernel's choice, and the arbiter never sees one.
 */
import cluster from "node:cluster";
import type { Server } from "node:net";
import { ExitCode, FatalError } from "../errors.ts";

/** Connections the kernel may hold until they are accepted (gunicorn: `backlog`). */
export const DEFAULT_BACKLOG = 2048;

/**
 * After so long without a byte the kernel asks the other end of a TCP connection whether it is still there, in seconds.
 * It is for WebSockets and quiet streams, which no clock of ours ends: a machine that has lost its power or its network
 * says no goodbye. An idle connection is asked once, if at all, before `--keep-alive` ends it.
 */
const PROBE_AFTER_S = 60;

/** A listening handle of node's; that of a Unix socket has no such method, and needs none. */
interface ListeningHandle {
  setKeepAlive?(on: boolean, delay: number): number;
}

/**
 * Has the kernel find out which connections lead nowhere any more. Those that are accepted inherit it, so that it costs
 * none of them a call.
 */
function probeSilent(server: Server): void {
  const handle = (server as unknown as { _handle?: ListeningHandle })._handle;
  handle?.setKeepAlive?.(true, PROBE_AFTER_S);
}

/**
 * Starts accepting on an inherited listening socket, TCP or Unix. Resolves when connections are accepted.
 *
 * In a cluster worker `listen({ fd })` asks the primary for the descriptor, even with `exclusive`, and the
 * primary has no such descriptor (EINVAL). `net` decides by `cluster.isPrimary`, synchronously inside
 * `listen`, so it is told that this is the primary for just that call.
 *
 * @throws FatalError when the descriptor is not a socket that can listen.
 */
export async function listenOn(server: Server, fd: number, backlog = DEFAULT_BACKLOG): Promise<void> {
  const accepting = new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
  accepting.catch(() => {});
  const role = cluster as { isPrimary: boolean };
  const { isPrimary } = role;
  try {
    role.isPrimary = true;
    // The backlog is read from the second argument: `listen({ fd, backlog })` ignores it.
    server.listen({ fd }, backlog as never);
    role.isPrimary = isPrimary;
    probeSilent(server);
    await accepting;
  } catch (error) {
    throw new FatalError(
      `cannot accept connections on inherited descriptor ${fd}: ${(error as Error).message}`,
      ExitCode.workerBoot,
      { cause: error },
    );
  } finally {
    role.isPrimary = isPrimary;
  }
}
