/**
 * The arbiter's two endpoints: the control socket and the health endpoint. An upgrade hands both over so that they
 * respond at every moment: the new arbiter listens on the same health socket, and takes over the control socket's name.
 */
import { closeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { type Address, formatAddress } from "../../config/address.ts";
import type { Config } from "../../config/settings.ts";
import type { ControlServer, HealthServer, HealthSocket } from "../../control/control-server.ts";
import type { Route } from "../../control/json-server.ts";
import { ExitCode, FatalError } from "../../errors.ts";
import type { ErrorLog } from "../../log/error-log.ts";
import { denialOf } from "../../native/permission-model.ts";
import { hasName, type SocketFile } from "../../system/unix-socket.ts";
import type { AdminCertificate } from "../../tls/certificate-files.ts";

/** The sockets of the endpoints, as data: an upgrade passes them to the new arbiter. */
export interface EndpointSockets {
  readonly control?: SocketFile;
  readonly readonly?: SocketFile;
  readonly health?: HealthSocket & { readonly address: string };
}

/** Time for the new arbiter to take over the control socket's name. */
const TAKEOVER_TIMEOUT_MS = 2000;
/** Time for the last responses to be sent. */
const LAST_RESPONSES_TIMEOUT_MS = 500;
const POLL_INTERVAL_MS = 10;

export type EndpointConfig = Pick<
  Config,
  "adminBind" | "adminToken" | "adminTokenFile" | "controlReadonlySocket" | "controlSocket" | "dashboard"
> &
  Partial<Pick<Config, "adminCertfile" | "adminKeyfile" | "keyfilePassword" | "keyfilePasswordFile">>;

/** All that the health endpoint is made of, besides its socket. */
interface HealthParts {
  readonly routes: readonly Route[];
  /** Undefined for cleartext. */
  readonly certificate: AdminCertificate | undefined;
}

export class ControlEndpoints {
  readonly #config: EndpointConfig;
  readonly #routes: () => Promise<readonly Route[]>;
  readonly #log: ErrorLog;
  /** The predecessor's control sockets, whose names this one takes over. */
  readonly #inherited: Pick<EndpointSockets, "control" | "readonly">;
  /** The predecessor's health socket, which both serve. */
  readonly #inheritedHealth: HealthSocket | undefined;
  /** Made in time for the predecessor's socket. */
  #prepared: HealthParts | undefined;
  #health: HealthServer | undefined;
  #isOpeningHealth = false;
  #control: ControlServer | undefined;
  #readonly: ControlServer | undefined;
  #unregister: (() => void) | undefined;

  /**
   * @param routes the table of all routes; called when an endpoint opens
   * @param inherited the sockets of the predecessor
   */
  constructor(
    config: EndpointConfig,
    routes: () => Promise<readonly Route[]>,
    log: ErrorLog,
    inherited: EndpointSockets = {},
  ) {
    this.#config = config;
    this.#routes = routes;
    this.#log = log;
    this.#inherited = inherited;
    this.#inheritedHealth = inheritedHealth(config.adminBind, inherited);
  }

  /** The sockets to pass to a new arbiter. */
  get sockets(): EndpointSockets {
    const { adminBind } = this.#config;
    const health = this.#health?.socket;
    return {
      ...(this.#control !== undefined && { control: this.#control.socket }),
      ...(this.#readonly !== undefined && { readonly: this.#readonly.socket }),
      ...(health !== undefined &&
        adminBind !== undefined && { health: { ...health, address: formatAddress(adminBind) } }),
    };
  }

  /** Whether the health socket is the predecessor's. */
  get hasInheritedHealth(): boolean {
    return this.#inheritedHealth !== undefined;
  }

  /**
   * Opens the health endpoint if it is configured, or makes all that the predecessor's socket will need, which still
   * serves: what fails here fails the start or the upgrade, and no load balancer notices.
   * @throws FatalError for an address, a certificate or a token that cannot be used
   */
  async prepareHealth(): Promise<void> {
    if (this.#inheritedHealth === undefined) await this.openHealth();
    else this.#prepared = await this.#healthParts();
  }

  async #healthParts(): Promise<HealthParts | undefined> {
    const { adminBind } = this.#config;
    if (adminBind === undefined) return undefined;
    const routes = await adminRoutes(adminBind, await this.#routes(), this.#config);
    return { routes, certificate: await adminCertificate(this.#config, this.#log) };
  }

  /**
   * Opens the health endpoint if it is configured and not open.
   * @throws FatalError if its address cannot be bound: a load balancer would get no response
   */
  async openHealth(): Promise<void> {
    const { adminBind } = this.#config;
    if (adminBind === undefined || this.#health !== undefined || this.#isOpeningHealth) return;
    this.#isOpeningHealth = true;
    try {
      const parts = this.#prepared ?? (await this.#healthParts());
      this.#prepared = undefined;
      if (parts === undefined) return;
      this.#health = await openHealth(adminBind, parts, this.#config, this.#log, this.#inheritedHealth);
    } finally {
      this.#isOpeningHealth = false;
    }
  }

  /**
   * Reads the certificate of the admin listener again, for connections from now on. Does nothing without one.
   * @throws FatalError that names the setting and the file; the listener keeps the certificate it has
   */
  async renewCertificate(): Promise<void> {
    const context = await adminCertificate(this.#config, this.#log);
    if (context !== undefined) this.#health?.secure(context);
  }

  /**
   * Opens the control socket, and the read-only one, if they are configured, or restores their names. If one cannot be
   * opened, the server runs without.
   */
  openControl(): void {
    this.#openReadonly();
    const { controlSocket } = this.#config;
    if (controlSocket === false) return;
    const before = this.#control;
    this.#routes()
      .then((routes) =>
        openControl(controlSocket, routes, this.#log, before?.socket ?? this.#inherited.control),
      )
      .then(async (server) => {
        this.#control = server;
        before?.close();
        if (server !== undefined) await this.#register(server.socket);
      })
      .catch((error) => this.#log.error("Cannot open the control socket", error));
  }

  #openReadonly(): void {
    const { controlReadonlySocket: path } = this.#config;
    if (path === false) return;
    const before = this.#readonly;
    this.#routes()
      .then((routes) => openReadonly(path, routes, this.#log, before?.socket ?? this.#inherited.readonly))
      .then((server) => {
        this.#readonly = server;
        before?.close();
      })
      .catch((error) => this.#log.error("Cannot open the read-only control socket", error));
  }

  /** Makes the socket known to `tsgun ps`. If that fails, the server is only harder to find. */
  async #register({ path }: SocketFile): Promise<void> {
    const { registerSocket, unregisterSocket } = await import("../../control/registry.ts");
    this.#unregister = unregisterSocket;
    await registerSocket(path).catch((error: Error) =>
      this.#log.debug(`tsgun ps finds this server by its process only: ${error.message}`),
    );
  }

  /** Responds on the predecessor's health socket, beside the predecessor. */
  shareHealth(): void {
    if (this.#inheritedHealth === undefined) return;
    this.openHealth().catch((error: Error) => this.#log.error(error.message));
  }

  /** Takes over the endpoints from the predecessor, or takes them back from a failed successor. */
  takeOver(): void {
    this.openHealth().catch((error: Error) => this.#log.error(error.message));
    this.openControl();
  }

  /** Resolves when the new arbiter has taken over the endpoints, and this one has sent its last responses. */
  async waitUntilTakenOver(): Promise<void> {
    const own = [this.#control, this.#readonly].filter((server) => server !== undefined);
    await until(async () => own.every(({ socket }) => !hasName(socket)), TAKEOVER_TIMEOUT_MS);
    for (const server of own) server.endStreams();
    this.#health?.leave();
    // Connections that have arrived are accepted in the next turn.
    await pause(POLL_INTERVAL_MS);
    await this.#lastResponses();
  }

  /**
   * Accepts no more connections, at once. Resolves when the last responses have been sent: the process may exit then.
   * @param isShared whether another arbiter serves on the same health socket
   */
  async close(isShared: boolean): Promise<void> {
    if (isShared) this.#health?.leave();
    else this.#health?.close();
    this.#control?.close();
    this.#readonly?.close();
    this.#unregister?.();
    await this.#lastResponses();
  }

  /** Resolves when no connection is left. */
  async #lastResponses(): Promise<void> {
    const open = [this.#control, this.#readonly, this.#health];
    await until(async () => {
      const counts = await Promise.all(open.map((server) => server?.connections() ?? 0));
      return counts.every((count) => count === 0);
    }, LAST_RESPONSES_TIMEOUT_MS);
  }
}

/** Returns the predecessor's health socket if its address is the configured one; otherwise closes it. */
function inheritedHealth(
  address: Address | undefined,
  { health }: EndpointSockets,
): HealthSocket | undefined {
  if (health === undefined) return undefined;
  if (address !== undefined && health.address === formatAddress(address)) return health;
  closeSync(health.descriptor);
  return undefined;
}

/** Counts its polls, not the time: a starved process gets as many turns of its loop as any other. */
async function until(condition: () => Promise<boolean>, timeoutMs: number): Promise<void> {
  for (let polls = timeoutMs / POLL_INTERVAL_MS; polls > 0 && !(await condition()); polls--) {
    await pause(POLL_INTERVAL_MS);
  }
}

/**
 * The routes of the admin listener: those of `table` for probes, and the dashboard.
 * @throws FatalError for a token that cannot be read
 */
async function adminRoutes(
  address: Address,
  table: readonly Route[],
  config: EndpointConfig,
): Promise<readonly Route[]> {
  const { routesFor } = await import("../../control/json-server.ts");
  const probes = routesFor(table, "probe");
  if (!config.dashboard) return probes;
  const { readAdminToken } = await import("../../control/dashboard/admin-token.ts");
  const { dashboardRoutes } = await import("../../control/dashboard/routes.ts");
  return [...probes, ...dashboardRoutes({ address, token: readAdminToken(config), table })];
}

/** Whether a browser gets the dashboard at this address; elsewhere it gets a refusal that says why. */
async function showsDashboard(
  address: Address,
  { dashboard, adminToken, adminTokenFile }: EndpointConfig,
): Promise<boolean> {
  if (!dashboard) return false;
  const { isLocalAddress } = await import("../../control/dashboard/gate.ts");
  return isLocalAddress(address) || (adminToken ?? adminTokenFile) !== undefined;
}

/** The certificate of the admin listener; undefined for cleartext. */
async function adminCertificate(
  config: EndpointConfig,
  log: ErrorLog,
): Promise<AdminCertificate | undefined> {
  if (config.adminCertfile === undefined && config.adminKeyfile === undefined) return undefined;
  const { readAdminCertificate } = await import("../../tls/certificate-files.ts");
  const read = readAdminCertificate(config);
  for (const warning of read?.warnings ?? []) log.warning(warning);
  return read?.certificate;
}

async function openHealth(
  address: Address,
  { routes, certificate }: HealthParts,
  config: EndpointConfig,
  log: ErrorLog,
  inherited: HealthSocket | undefined,
): Promise<HealthServer> {
  const { openHealthServer } = await import("../../control/control-server.ts");
  try {
    const server = await openHealthServer(address, routes, inherited, certificate);
    const bound =
      server.port !== undefined && address.kind === "tcp" ? { ...address, port: server.port } : address;
    const scheme = certificate === undefined ? "http" : "https";
    const url = `${bound.kind === "tcp" ? `${scheme}://` : ""}${formatAddress(bound)}`;
    log.info(`Health at: ${url}`);
    if (bound.kind === "tcp" && (await showsDashboard(bound, config)))
      log.info(`Dashboard at: ${url}/dashboard/`);
    return server;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = code === "EADDRINUSE" ? "the address is in use" : message;
    throw new FatalError(`admin-bind: cannot listen at ${formatAddress(address)}: ${why}`, ExitCode.failure, {
      cause,
    });
  }
}

async function openControl(
  path: string | undefined,
  routes: readonly Route[],
  log: ErrorLog,
  inherited: SocketFile | undefined,
): Promise<ControlServer | undefined> {
  const { openControlSocket } = await import("../../control/control-server.ts");
  const { defaultControlSocket } = await import("../../control/socket-path.ts");
  try {
    const at = path ?? defaultControlSocket(process.pid);
    const server = await openControlSocket(at, routes, inherited);
    log.debug(`Control socket at: ${at}`);
    return server;
  } catch (error) {
    log.info(`No control socket: ${denialOf(error) ?? (error as Error).message}`);
    return undefined;
  }
}

async function openReadonly(
  path: string,
  routes: readonly Route[],
  log: ErrorLog,
  inherited: SocketFile | undefined,
): Promise<ControlServer | undefined> {
  const { GROUP_TOO, openControlSocket } = await import("../../control/control-server.ts");
  const { readOnlyRoutes } = await import("../../control/json-server.ts");
  try {
    const server = await openControlSocket(path, readOnlyRoutes(routes), inherited, GROUP_TOO);
    log.debug(`Read-only control socket at: ${path}`);
    return server;
  } catch (error) {
    log.warning(`No read-only control socket: ${(error as Error).message}`);
    return undefined;
  }
}
