/** Makes the server for a loaded app: the gateway engine, node's own server for apps that need it, or the app's own server. */
import type { Server as HttpServer } from "node:http";
import type { Server as NetServer } from "node:net";
import type { SslContextHook } from "../config/hooks.ts";
import type { Config } from "../config/settings.ts";
import { ExitCode, FatalError } from "../errors.ts";
import type { App, WorkerInfo } from "../gateway/types.ts";
import { setCurrentWorker } from "../interop/current-worker.ts";
import type { BootStep } from "../ipc/boot-step.ts";
import type { Assignment } from "../ipc/messages.ts";
import {
  type LoadedApp,
  type LoadedNodeApp,
  type LoadedServer,
  type LoadOptions,
  loadApp,
} from "../loader/load.ts";
import type { LoadedFiles } from "../loader/loaded-files.ts";
import type { AccessLog } from "../log/access-log.ts";
import type { ErrorLog } from "../log/error-log.ts";
import type { AcceptLimiter } from "../server/accept-limiter.ts";
import type { OpeningStage } from "../server/front/opening.ts";
import type { InFlightGate } from "../server/in-flight-gate.ts";
import type { RequestMeter } from "../server/request-meter.ts";
import type { WorkerServer } from "../server/server.ts";
import type { ErrorDescriber } from "../server/server-options.ts";
import { acceptLimiter } from "./accept-limits.ts";
import { captureListening } from "./adoption.ts";
import { StartupError } from "./boot-error.ts";
import { acceptErrorReporter, errorReporter } from "./error-reporter.ts";
import type { WorkerFront } from "./front.ts";
import type { WorkerHttp2 } from "./http2.ts";
import { headLimitReporter, headRefusalReporter, strayHeaderReporter } from "./refused-heads.ts";
import type { RequestHooks } from "./request-hooks.ts";
import { HTTP_1_PROTOCOLS, limitsOf, proxyRulesOf, timeoutsOf } from "./server-settings.ts";

/** A started app and its server, which does not accept yet. */
export interface Serving {
  /** Detected kind of the app, for the log. */
  readonly what: string;
  readonly server: WorkerServer;
  /** The server's accept limiter. */
  readonly limiter: AcceptLimiter;
  /** The gate that bounds its requests in flight; undefined: none. */
  readonly gate?: InFlightGate | undefined;
  /** The app's shutdown; call it after its last response. */
  shutdown(): Promise<void>;
  /** Whether the app has a shutdown. */
  readonly hasShutdown: boolean;
  /** `shutdown` ends upgraded connections, so a drain does not wait for them first. */
  readonly closesUpgraded: boolean;
  /** How the server is spoken to; undefined if its protocol is the app's own. */
  readonly scheme: "http" | "https" | undefined;
  /** The front of its connections; undefined: none. */
  readonly front?: WorkerFront | undefined;
  /** Calls back when the app closes the server that it made listen. */
  whenClosed?(callback: () => void): void;
}

/** Dependencies of `makeServing`. */
export interface ServingNeeds {
  readonly assignment: Assignment<Config>;
  readonly worker: WorkerInfo;
  /** Undefined without request hooks. */
  readonly hooks: RequestHooks | undefined;
  /** Undefined without such a hook. */
  readonly sslContext: SslContextHook | undefined;
  readonly log: ErrorLog;
  /** Undefined without an access log. */
  readonly accessLog: AccessLog | undefined;
  /** Undefined if nothing is counted. */
  readonly meter: RequestMeter | undefined;
  /** Undefined when the app's files are not watched. */
  readonly loadedFiles: LoadedFiles | undefined;
  /** Called before each step that may take long. */
  onStep(step: BootStep): void;
}

/**
 * Loads the app and runs its `startup`.
 * @throws FatalError with the exit code of what failed.
 */
export async function makeServing(needs: ServingNeeds): Promise<Serving> {
  const { assignment, worker, loadedFiles, onStep } = needs;
  const { settings, placeholderFor } = assignment;
  setCurrentWorker(worker);
  if (placeholderFor !== undefined) {
    const { placeholderApp } = await import("./placeholder-app.ts");
    const app = placeholderApp(placeholderFor, settings.showErrors);
    return serveGateway("nothing but the error", app, needs);
  }
  const { slot, address } = assignment;
  const capture = captureListening(settings, { slot, address, log: needs.log });
  const loaded = await checked(await loadServed(settings, { capture, loadedFiles, onStep }), needs);
  if (loaded.kind === "gateway") return serveGateway(describeApp(loaded), loaded.app, needs);
  if (loaded.kind === "node") return serveNode(loaded, needs);
  const serving = await serveServer(loaded, needs);
  return { ...serving, whenClosed: (callback) => capture.whenClosed(callback) };
}

/**
 * Loads the app that the settings name, and the module of its server.
 * @throws FatalError when it cannot be loaded.
 */
export async function loadServed(
  settings: Config,
  watching: Pick<LoadOptions, "capture" | "loadedFiles" | "onStep">,
): Promise<LoadedApp> {
  if (settings.app === undefined) throw new FatalError("no app given", ExitCode.usage);
  return await loadApp(settings.app, {
    interface: settings.interface,
    cwd: process.cwd(),
    // The kind of the app is not known yet; a wrong guess costs little.
    beforeCompiler: settings.interface === "node" ? nodeServer : gatewayServer,
    ...watching,
  });
}

/** The kind of the app, and whether that is a guess, for people. */
export function describeApp(app: LoadedApp): string {
  if (app.kind === "server" || app.isGuess !== true) return app.what;
  return `${app.what} (guessed; --interface gateway, fetch or node to choose)`;
}

/** Has the first request show whether a bare function has the interface that it is called with. */
async function checked(app: LoadedApp, { assignment, log }: ServingNeeds): Promise<LoadedApp> {
  if (app.kind === "server" || app.isBareFunction !== true) return app;
  const { checkHandler, checkListener } = await import("./interface-check.ts");
  const { isGuess = false } = app;
  const named = { name: assignment.settings.app ?? "", isGuess };
  const warn = (line: string): void => log.warning(line);
  if (app.kind === "node") return { ...app, listener: checkListener(app.listener, named, warn) };
  if (app.isFetch === true) return app;
  return { ...app, app: { handle: checkHandler(app.app.handle, named, warn) } };
}

/** Makes the front of connections; undefined: none, and no module is loaded for it. */
async function frontOf(
  needs: ServingNeeds,
  protocols: readonly string[] = HTTP_1_PROTOCOLS,
  choice?: OpeningStage,
): Promise<WorkerFront | undefined> {
  const { tls, settings } = needs.assignment;
  if (tls === undefined && settings.proxyProtocol === "off" && choice === undefined) return undefined;
  const { makeFront } = await import("./front.ts");
  return await makeFront(needs, protocols, choice);
}

/** Undefined if only HTTP/1.1 is spoken. */
async function http2Of({ assignment, log }: ServingNeeds): Promise<WorkerHttp2 | undefined> {
  const { settings, tls } = assignment;
  if (!settings.httpProtocols.includes("h2")) return undefined;
  const { workerHttp2 } = await import("./http2.ts");
  return workerHttp2(settings, tls !== undefined, log);
}

const gatewayServer = () => import("../server/engine/gateway-server.ts");
const nodeServer = () => import("../server/node/node-server.ts");

async function serveGateway(what: string, app: App, needs: ServingNeeds): Promise<Serving> {
  const { worker, hooks, log, accessLog, meter } = needs;
  const { settings } = needs.assignment;
  const { GatewayServer } = await gatewayServer();
  const state = await started(needs, app.startup && (() => app.startup?.(worker)));
  const limiter = acceptLimiter(settings, log);
  const gate = await gateOf(settings, log);
  const http2 = await http2Of(needs);
  const front = await frontOf(needs, http2?.protocols, http2?.choice);
  const server = new GatewayServer(hooks?.around(app) ?? app, {
    limits: limitsOf(settings),
    timeouts: timeoutsOf(settings),
    connectionRequests: settings.keepAliveRequests || undefined,
    worker,
    state,
    limiter,
    front: front?.make,
    http2: await http2?.gateway(),
    gate,
    proxyRules: proxyRulesOf(settings),
    rootPath: settings.rootPath,
    onError: errorReporter(log),
    onHeadRefused: headRefusalReporter(log),
    onHeadLimit: headLimitReporter(settings, log),
    onStrayHeader: strayHeaderReporter(settings, log),
    describeError: await errorDescriber(settings),
    accessLog,
    meter,
    onAcceptError: acceptErrorReporter(log, meter),
  });
  const shutdown = async (): Promise<void> => app.shutdown?.(state);
  const hasShutdown = app.shutdown !== undefined;
  return { what, server, limiter, gate, front, shutdown, hasShutdown, closesUpgraded: false, scheme: "http" };
}

async function serveNode(app: LoadedNodeApp, needs: ServingNeeds): Promise<Serving> {
  const { hooks, log } = needs;
  const { settings } = needs.assignment;
  refuseRootPath(settings, app.what);
  if (app.needsHttp1 === true) refuseHttp2(needs, app.what, "its requests are those of HTTP/1.1");
  const { NodeServer } = await nodeServer();
  await started(needs, app.startup && (() => app.startup?.()));
  const limiter = acceptLimiter(settings, log);
  const { listener, upgrade } = hooks?.aroundListener(app) ?? app;
  const http2 = app.needsHttp1 === true ? undefined : await http2Of(needs);
  const sessions = await http2?.listener();
  const front = await frontOf(needs, http2?.protocols, http2?.choice);
  const options = await nodeOptions(needs);
  const server = new NodeServer({ listener, upgrade, limiter, front: front?.make, ...options }, sessions);
  return { server, limiter, gate: options.gate, front, scheme: "http", ...endOf(app) };
}

/** Serves a server that the app made: as a node listener if it is one of HTTP/1.1, else as a byte stream. */
async function serveServer(app: LoadedServer, needs: ServingNeeds): Promise<Serving> {
  const { hooks, log, meter } = needs;
  const { settings } = needs.assignment;
  refuseRootPath(settings, app.what);
  // Only servers of TLS have it.
  const isSecure = "setTicketKeys" in app.server;
  if (isSecure) refuseDoubleTls(needs, app.what);
  refuseHttp2(needs, app.what, "it is a server of its own");
  const limiter = acceptLimiter(settings, log);
  if (!speaksHttp1(app.server)) {
    refuseInFlightLimit(settings, app.what);
    const { StreamServer } = await import("../server/stream-server.ts");
    const { server } = app;
    // Servers of node:http2 have it; any other protocol has no name for ALPN that is known here.
    const front = await frontOf(needs, "updateSettings" in server ? ["h2"] : []);
    const onAcceptError = acceptErrorReporter(log, meter);
    const options = {
      timeouts: timeoutsOf(settings),
      proxyRules: proxyRulesOf(settings),
      meter,
      onAcceptError,
    };
    return {
      server: new StreamServer({ server, limiter, front: front?.make, ...options }),
      limiter,
      front,
      scheme: undefined,
      ...endOf(app),
    };
  }
  const { NodeServer } = await nodeServer();
  const adopted = { server: app.server, wrapper: hooks?.wrapper() };
  const front = await frontOf(needs);
  const options = await nodeOptions(needs);
  const server = new NodeServer({ adopted, limiter, front: front?.make, ...options });
  const scheme = isSecure ? "https" : "http";
  return { server, limiter, gate: options.gate, front, scheme, ...endOf(app) };
}

function refuseInFlightLimit({ maxInFlight }: Config, what: string): void {
  if (maxInFlight === 0) return;
  throw new FatalError(
    `--max-in-flight ${maxInFlight} is for requests of HTTP, which ${what} reads itself: limit them there, or their connections with --worker-connections`,
    ExitCode.appLoad,
  );
}

/** http.Server and https.Server; node:http2 has servers of its own. */
function speaksHttp1(server: NetServer): server is HttpServer {
  return "maxHeadersCount" in server;
}

function endOf(
  app: LoadedNodeApp | LoadedServer,
): Omit<Serving, "server" | "limiter" | "gate" | "scheme" | "front"> {
  return {
    what: describeApp(app),
    shutdown: async () => app.shutdown?.(),
    hasShutdown: app.shutdown !== undefined,
    closesUpgraded: app.closesUpgraded === true,
  };
}

function refuseDoubleTls({ assignment }: ServingNeeds, what: string): void {
  if (assignment.tls === undefined) return;
  throw new FatalError(
    `--certfile ends TLS in tsgun, and ${what} speaks TLS itself: remove --certfile, or use a server of node:http in the app`,
    ExitCode.appLoad,
  );
}

function refuseRootPath({ rootPath }: Config, what: string): void {
  if (rootPath === "") return;
  throw new FatalError(
    `--root-path ${rootPath} is for gateway and fetch apps, and ${what} is neither: mount it there itself`,
    ExitCode.appLoad,
  );
}

/** Such an app gets HTTP/1.1, unless that is not spoken. */
function refuseHttp2({ assignment, log }: ServingNeeds, what: string, reason: string): void {
  const { httpProtocols } = assignment.settings;
  if (!httpProtocols.includes("h2")) return;
  const why = `HTTP/2 (--http-protocols) cannot serve ${what}: ${reason}`;
  if (!httpProtocols.includes("h1"))
    throw new FatalError(`${why}; add h1, or leave --http-protocols out`, ExitCode.appLoad);
  log.warning(`${why}; it gets HTTP/1.1 only`);
}

/** The options of node's server that follow from the settings. */
async function nodeOptions(needs: ServingNeeds) {
  const { log, accessLog, meter, assignment } = needs;
  const { settings } = assignment;
  const gate = await gateOf(settings, log);
  return {
    gate,
    limits: limitsOf(settings),
    timeouts: timeoutsOf(settings),
    connectionRequests: settings.keepAliveRequests || undefined,
    onError: errorReporter(log),
    onHeadRefused: headRefusalReporter(log),
    onHeadLimit: headLimitReporter(settings, log),
    onStrayHeader: strayHeaderReporter(settings, log),
    describeError: await errorDescriber(settings),
    accessLog,
    meter,
    proxyRules: proxyRulesOf(settings),
    onAcceptError: acceptErrorReporter(log, meter),
  };
}

async function started<State>(
  { onStep }: ServingNeeds,
  startup: (() => State | Promise<State>) | undefined,
): Promise<State | undefined> {
  if (startup === undefined) return undefined;
  onStep({ step: "startup", of: "the app" });
  try {
    return await startup();
  } catch (error) {
    throw new StartupError(error);
  }
}

/** Loads the gate only if the requests in flight are limited. */
async function gateOf(settings: Config, log: ErrorLog): Promise<InFlightGate | undefined> {
  if (settings.maxInFlight === 0) return undefined;
  return (await import("./in-flight-limit.ts")).inFlightGate(settings, log);
}

/** Loads the error page module only if errors are to be shown. */
async function errorDescriber(settings: Config): Promise<ErrorDescriber | undefined> {
  if (!settings.showErrors) return undefined;
  const { renderErrorPage: errorContent, errorPageOf: shownError } = await import("../server/error-page.ts");
  return (error, accept) => errorContent(shownError("500 Internal Server Error", error), accept);
}
