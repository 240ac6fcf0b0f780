/**
 * What the arbiter is asked through: the control socket and the health endpoint. An upgrade hands both on so that at any
 * moment somebody answers: the next arbiter listens on the same health socket, and takes the name of the control socket.
 */
import { closeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { type Address, formatAddress } from "../../config/address.ts";
import type { Config } from "../../config/settings.ts";
import type { Controllable } from "../../control/api.ts";
import type { ControlServer, HealthServer, HealthSocket } from "../../control/control-server.ts";
import { ExitCode, FatalError } from "../../errors.ts";
import type { ErrorLog } from "../../log/error-log.ts";
import { hasName, type SocketFile } from "../../system/unix-socket.ts";

/** The doors of one arbiter, as data: an upgrade hands them to the next one. */
export interface EndpointSockets {
  readonly control?: SocketFile;
  readonly health?: HealthSocket & { readonly address: string };
}

/** How long the next arbiter may take to take the control socket's name, and the last answers to go out, in milliseconds. */
const TAKEN_WITHIN = 2000;
const ANSWERED_WITHIN = 500;
const LOOK_EVERY = 10;

export class ControlEndpoints {
  readonly #config: Pick<Config, "adminBind" | "controlSocket">;
  readonly #target: Controllable;
  readonly #log: ErrorLog;
  /** Whose name the control socket takes, and the socket that the health endpoint is asked at. */
  readonly #held: SocketFile | undefined;
  readonly #inherited: HealthSocket | undefined;
  #health: HealthServer | undefined;
  #opensHealth = false;
  #control: ControlServer | undefined;

  /**
   * @param target who is asked through them
   * @param handed the doors of the arbiter that this one follows
   */
  constructor(
    config: Pick<Config, "adminBind" | "controlSocket">,
    target: Controllable,
    log: ErrorLog,
    handed: EndpointSockets = {},
  ) {
    this.#config = config;
    this.#target = target;
    this.#log = log;
    this.#held = handed.control;
    this.#inherited = inheritedHealth(config.adminBind, handed);
  }

  /** What the next arbiter is handed. */
  get sockets(): EndpointSockets {
    const { adminBind } = this.#config;
    const health = this.#health?.socket;
    return {
      ...(this.#control !== undefined && { control: this.#control.socket }),
      ...(health !== undefined &&
        adminBind !== undefined && { health: { ...health, address: formatAddress(adminBind) } }),
    };
  }

  /**
   * Opens the health endpoint, if there is to be one and it is not open.
   * @throws FatalError when its address cannot be had: a load balancer would ask in vain
   */
  async openHealth(): Promise<void> {
    const { adminBind } = this.#config;
    if (adminBind === undefined || this.#health !== undefined || this.#opensHealth) return;
    this.#opensHealth = true;
    try {
      this.#health = await openHealth(adminBind, this.#target, this.#log, this.#inherited);
    } finally {
      this.#opensHealth = false;
    }
  }

  /**
   * Opens the control socket, if there is to be one, or gives it its name again. Where it cannot be made, the server runs on
   * without it.
   */
  openControl(): void {
    const { controlSocket } = this.#config;
    if (controlSocket === false) return;
    const before = this.#control;
    openControl(controlSocket, this.#target, this.#log, before?.socket ?? this.#held).then(
      (server) => {
        this.#control = server;
        before?.close();
      },
      (error) => this.#log.error("The control socket cannot be opened", error),
    );
  }

  /** Answers on the health socket of the arbiter before this one, while that one still does. */
  shareHealth(): void {
    if (this.#inherited === undefined) return;
    this.openHealth().catch((error: Error) => this.#log.error(error.message));
  }

  /** Takes over what another arbiter was asked through, or takes it back. */
  takeOver(): void {
    this.openHealth().catch((error: Error) => this.#log.error(error.message));
    this.openControl();
  }

  /** Resolves when the next arbiter is asked in this one's place, and all is answered that was asked before. */
  async waitUntilTakenOver(): Promise<void> {
    const control = this.#control;
    await until(async () => control === undefined || !hasName(control.socket), TAKEN_WITHIN);
    this.#health?.leave();
    // What has come until here is accepted in the next turn.
    await pause(LOOK_EVERY);
    const open = [control, this.#health];
    await until(async () => {
      const counts = await Promise.all(open.map((server) => server?.connections() ?? 0));
      return counts.every((count) => count === 0);
    }, ANSWERED_WITHIN);
  }

  /** @param shared whether another arbiter serves on the same health socket */
  close(shared: boolean): void {
    if (shared) this.#health?.leave();
    else this.#health?.close();
    this.#control?.close();
  }
}

/** The health socket of another arbiter, if it is bound where this one is to be asked; else it is closed here. */
function inheritedHealth(
  address: Address | undefined,
  { health }: EndpointSockets,
): HealthSocket | undefined {
  if (health === undefined) return undefined;
  if (address !== undefined && health.address === formatAddress(address)) return health;
  closeSync(health.descriptor);
  return undefined;
}

async function until(condition: () => Promise<boolean>, patience: number): Promise<void> {
  const end = performance.now() + patience;
  while (!(await condition()) && performance.now() < end) await pause(LOOK_EVERY);
}

async function openHealth(
  address: Address,
  target: Controllable,
  log: ErrorLog,
  inherited: HealthSocket | undefined,
): Promise<HealthServer> {
  const { openHealthServer } = await import("../../control/control-server.ts");
  try {
    const server = await openHealthServer(address, target, inherited);
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

async function openControl(
  path: string | undefined,
  target: Controllable,
  log: ErrorLog,
  held: SocketFile | undefined,
): Promise<ControlServer | undefined> {
  const { openControlSocket } = await import("../../control/control-server.ts");
  const { defaultControlSocket, liveControlSockets } = await import("../../control/socket-path.ts");
  try {
    const at = path ?? defaultControlSocket(process.pid);
    const server = await openControlSocket(at, target, held);
    log.debug(`Control socket at: ${at}`);
    if (path === undefined) await liveControlSockets();
    return server;
  } catch (error) {
    log.info(`There is no control socket: ${(error as Error).message}`);
    return undefined;
  }
}
