/**
 * Listens on a socket that the arbiter bound. The descriptor is inherited, so this process accepts connections itself,
 * and the kernel distributes them among the workers.
 */
import cluster from "node:cluster";
import { Server } from "node:net";
import { ExitCode, FatalError } from "../errors.ts";

/** Node's own `listen`, for the servers of the worker itself: those of the app are captured (`adopt/`). */
export const nativeListen = Server.prototype.listen as (this: Server, ...args: unknown[]) => Server;

/** Connections that the kernel holds until they are accepted (gunicorn: `backlog`). */
export const DEFAULT_BACKLOG = 2048;

/**
 * Silence after which the kernel sends keep-alive probes on a TCP connection. They end WebSockets and quiet streams,
 * which have no timeout here, after the peer's machine has lost power or network. An idle HTTP connection is probed at
 * most once before `--keep-alive` ends it.
 */
const KEEP_ALIVE_PROBE_S = 60;

/** Node's listening handle. That of a Unix socket has no such method, and needs none. */
interface ListeningHandle {
  setKeepAlive?(on: boolean, delay: number): number;
}

/**
 * Turns on keep-alive probes for accepted connections, which inherit the option: it costs none of them a system call.
 */
function enableKeepAliveProbes(server: Server): void {
  const handle = (server as unknown as { _handle?: ListeningHandle })._handle;
  handle?.setKeepAlive?.(true, KEEP_ALIVE_PROBE_S);
}

/**
 * Starts to accept on an inherited listening socket, TCP or Unix. Resolves when connections are accepted.
 *
 * In a cluster worker `listen({ fd })` asks the primary for the descriptor, even with `exclusive`, and fails with
 * EINVAL because the primary has no such descriptor. `net` checks `cluster.isPrimary` synchronously within `listen`, so
 * it is true for just that call.
 *
 * @throws FatalError if the descriptor is not a socket that can listen
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
    // `listen({ fd, backlog })` ignores the backlog; the second argument works.
    nativeListen.call(server, { fd }, backlog);
    role.isPrimary = isPrimary;
    enableKeepAliveProbes(server);
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
