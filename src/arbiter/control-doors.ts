/** Opens what the arbiter is asked through: the control socket and the health endpoint. */

import type { Address } from "../config/address.ts";
import { formatAddress } from "../config/address.ts";
import type { Controllable } from "../control/api.ts";
import type { OpenServer } from "../control/control-server.ts";
import { ExitCode, FatalError } from "../errors.ts";
import type { ErrorLog } from "../log/error-log.ts";

export interface ControlDoors {
  close(): void;
}

/**
 * Binds the health endpoint.
 *
 * @throws FatalError when the address cannot be had: a load balancer would ask in vain
 */
export async function openHealth(
  address: Address,
  target: Controllable,
  log: ErrorLog,
): Promise<ControlDoors> {
  const { openHealthServer } = await import("../control/control-server.ts");
  try {
    const server = await openHealthServer(address, target);
    const bound =
      server.port !== undefined && address.kind === "tcp" ? { ...address, port: server.port } : address;
    log.info(`Health at: ${bound.kind === "tcp" ? "http://" : ""}${formatAddress(bound)}`);
    return server;
  } catch (cause) {
    const why =
      (cause as NodeJS.ErrnoException).code === "EADDRINUSE" ? "the address is taken" : String(cause);
    throw new FatalError(`admin-bind: cannot listen at ${formatAddress(address)}: ${why}`, ExitCode.failure, {
      cause,
    });
  }
}

/** Opens the control socket. Where it cannot be made, the server runs on without it. */
export async function openControl(
  path: string | undefined,
  target: Controllable,
  log: ErrorLog,
): Promise<ControlDoors> {
  const { openControlSocket } = await import("../control/control-server.ts");
  const { defaultControlSocket } = await import("../control/socket-path.ts");
  const at = path ?? defaultControlSocket(process.pid);
  let server: OpenServer | undefined;
  try {
    server = await openControlSocket(at, target);
    log.debug(`Control socket at: ${at}`);
  } catch (error) {
    log.info(`There is no control socket: ${(error as Error).message}`);
  }
  return { close: () => server?.close() };
}
