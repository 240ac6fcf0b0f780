/** What the arbiter is asked through: the control socket and the health endpoint. */
import { type Address, formatAddress } from "../config/address.ts";
import type { Config } from "../config/settings.ts";
import type { Controllable } from "../control/api.ts";
import type { OpenServer } from "../control/control-server.ts";
import { ExitCode, FatalError } from "../errors.ts";
import type { ErrorLog } from "../log/error-log.ts";

interface Door {
  close(): void;
}

export class ControlDoors {
  readonly #config: Pick<Config, "adminBind" | "controlSocket">;
  readonly #target: Controllable;
  readonly #log: ErrorLog;
  #open: Door[] = [];

  /** @param target who is asked through them */
  constructor(config: Pick<Config, "adminBind" | "controlSocket">, target: Controllable, log: ErrorLog) {
    this.#config = config;
    this.#target = target;
    this.#log = log;
  }

  /**
   * Opens the health endpoint, if there is to be one.
   * @throws FatalError when its address cannot be had: a load balancer would ask in vain
   */
  async openHealth(): Promise<void> {
    const { adminBind } = this.#config;
    if (adminBind !== undefined) this.#open.push(await openHealth(adminBind, this.#target, this.#log));
  }

  /** Opens the control socket, if there is to be one. Where it cannot be made, the server runs on without it. */
  openControl(): void {
    const { controlSocket } = this.#config;
    if (controlSocket === false) return;
    openControl(controlSocket, this.#target, this.#log).then(
      (door) => this.#open.push(door),
      (error) => this.#log.error("The control socket cannot be opened", error),
    );
  }

  /** Takes over what another arbiter was asked through. */
  takeOver(): void {
    this.openHealth().catch((error: Error) => this.#log.error(error.message));
    this.openControl();
  }

  close(): void {
    for (const door of this.#open) door.close();
    this.#open = [];
  }
}

async function openHealth(address: Address, target: Controllable, log: ErrorLog): Promise<Door> {
  const { openHealthServer } = await import("../control/control-server.ts");
  try {
    const server = await openHealthServer(address, target);
    const bound =
      server.port !== undefined && address.kind === "tcp" ? { ...address, port: server.port } : address;
    log.info(`Health at: ${bound.kind === "tcp" ? "http://" : ""}${formatAddress(bound)}`);
    return server;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = code === "EADDRINUSE" ? "the address is taken" : message;
    throw new FatalError(`admin-bind: cannot listen at ${formatAddress(address)}: ${why}`, ExitCode.failure, {
      cause,
    });
  }
}

async function openControl(path: string | undefined, target: Controllable, log: ErrorLog): Promise<Door> {
  const { openControlSocket } = await import("../control/control-server.ts");
  const { defaultControlSocket } = await import("../control/socket-path.ts");
  let server: OpenServer | undefined;
  try {
    const at = path ?? defaultControlSocket(process.pid);
    server = await openControlSocket(at, target);
    log.debug(`Control socket at: ${at}`);
  } catch (error) {
    log.info(`There is no control socket: ${(error as Error).message}`);
  }
  return { close: () => server?.close() };
}
