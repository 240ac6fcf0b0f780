/** Turns `module:name` into an app that a worker can serve. Every failure becomes one line and exit code 4. */

import type { Server } from "node:net";
import { dirname, resolve } from "node:path";
import type { ListenCapture } from "../adopt/listen-capture.ts";
import { ExitCode, FatalError } from "../errors.ts";
import { hasPrivateRequests, holdRequestGlobals, releaseRequestGlobals } from "../interop/request-globals.ts";
import type { BootStep } from "../ipc/boot-step.ts";
import { fetchInterop, loadedAppOf } from "./app-kind.ts";
import { type Found, findExport, NoApp } from "./exports.ts";
import { mayKeepRequest } from "./fetch-packages.ts";
import { isStartedByAwait } from "./frameworks.ts";
import { type ImportOptions, importModule, type ModuleNamespace } from "./import-module.ts";
import type { AppInterface, LoadedApp, LoadedNodeApp } from "./loaded-app.ts";
import type { LoadedFiles } from "./loaded-files.ts";
import { type Location, locate, NotFound } from "./locate.ts";
import { type AppSpec, parseAppSpec } from "./spec.ts";
import { hasSyncHooks } from "./sync-hooks.ts";
import { isTypeScript } from "./typescript.ts";

export type {
  AppInterface,
  LoadedApp,
  LoadedGatewayApp,
  LoadedNodeApp,
  LoadedServer,
} from "./loaded-app.ts";

export interface LoadOptions {
  /** Interface of the export. Default: `auto`. */
  readonly interface?: AppInterface;
  /** Folder to resolve modules in. Default: the working folder of the process. */
  readonly cwd?: string;
  /** Imports what the worker needs anyway. Awaited before a compiler in another thread slows every later import. */
  readonly beforeCompiler?: () => Promise<unknown>;
  /** Notified of every file that the app loads, now and later. */
  readonly loadedFiles?: LoadedFiles | undefined;
  /** Takes over the servers that the app makes listen; without it an app has to export something. */
  readonly capture?: ListenCapture | undefined;
  /** Called before each step that may take long. */
  readonly onStep?: ((step: BootStep) => void) | undefined;
}

/**
 * Loads the app that `spec` names: imports its module, finds the export, calls it if the spec does, and detects its
 * kind. A module that exports no app is one itself if it makes a server listen. Runs user code and waits for it without
 * a time limit: that is the caller's job.
 * Throws `FatalError` with `ExitCode.appLoad`; an error of the app itself is its `cause`, with its stack.
 */
export async function loadApp(spec: string, options: LoadOptions = {}): Promise<LoadedApp> {
  // Read before the app may change it.
  const cwd = options.cwd ?? process.cwd();
  const parsed = parseAppSpec(spec);
  try {
    return await withRequestGlobals(parsed, cwd, options, () => load(parsed, cwd, options));
  } catch (error) {
    if (!(error instanceof NoApp || error instanceof NotFound)) throw error;
    const { builtServerHint } = await import("./built-server.ts");
    const { message, exitCode, cause } = error;
    throw new FatalError(message + builtServerHint(resolve(cwd, parsed.module), cwd), exitCode, { cause });
  }
}

/** Modules keep the globals that they find, so an app that may be a fetch app gets those of one until its kind is known. */
async function withRequestGlobals(
  { module }: AppSpec,
  cwd: string,
  { interface: wanted = "auto" }: LoadOptions,
  loading: () => Promise<LoadedApp>,
): Promise<LoadedApp> {
  if (!hasPrivateRequests || (wanted !== "auto" && wanted !== "fetch")) return loading();
  let app: LoadedApp | undefined;
  holdRequestGlobals(mayKeepRequest(dirname(resolve(cwd, module))));
  try {
    app = await loading();
    return app;
  } finally {
    if (app === undefined || !("isFetch" in app)) releaseRequestGlobals();
  }
}

async function load(parsed: AppSpec, cwd: string, options: LoadOptions): Promise<LoadedApp> {
  const { capture, onStep } = options;
  const location = locate(parsed.module, cwd);
  if (location.kind === "package") await refuseFramework(location.name);
  if (location.kind === "file" && isTypeScript(location.file) && !hasSyncHooks()) {
    await Promise.all([options.beforeCompiler?.(), fetchInterop()]);
  }
  const pending = capture === undefined ? [] : process.getActiveResourcesInfo();
  onStep?.({ step: "load", of: location.shown });
  // A name, as in gunicorn's MODULE:NAME, asks for an import: a factory must not find that the app runs already.
  const isMain = parsed.path === undefined;
  const module = await importApp(location, cwd, { isMain, prepare: () => options.loadedFiles?.install() });
  let noApp: FatalError | undefined;
  const named = capture?.named;
  if (named !== undefined && !isAuto(options) && options.interface !== "server") {
    throw new FatalError(
      `--adopt ${named} is for an app that listens: leave it out, or use --interface server`,
      ExitCode.appLoad,
    );
  }
  if (options.interface !== "server" && named === undefined) {
    try {
      return await exportedApp(module, parsed, location, options);
    } catch (error) {
      const mayListen = capture !== undefined && parsed.path === undefined && isAuto(options);
      if (!(error instanceof NoApp && mayListen)) throw error;
      noApp = error;
    }
  }
  if (capture === undefined) throw new FatalError("--interface server needs a worker", ExitCode.appLoad);
  onStep?.(named === undefined ? { step: "listen", of: location.shown } : { step: "adopt", of: named });
  const { listeningApp } = await import("./listening-app.ts");
  return await listeningApp(capture, location.shown, noApp, pending);
}

async function refuseFramework(name: string): Promise<void> {
  const { isFramework } = await import("./built-server.ts");
  if (isFramework(name)) throw new NotFound(`${name} is a framework, not an app`, ExitCode.appLoad);
}

function isAuto(options: LoadOptions): boolean {
  return (options.interface ?? "auto") === "auto";
}

async function exportedApp(
  module: ModuleNamespace,
  spec: AppSpec,
  location: Location,
  options: LoadOptions,
): Promise<LoadedApp> {
  const found = findExport(module, spec, location.shown);
  const value = await evaluate(found, spec, location.shown, options);
  const app = await loadedAppOf(value, options.interface ?? "auto", shownName(found, spec, location));
  return await servedApp(app, value, spec.path === undefined && isAstroServer(module), options);
}

/**
 * An exported app whose own server listens is served through that server, which may have more listeners than the app.
 *
 * @param isBuilt the module is a built server, and its export a by-product
 */
async function servedApp(
  app: LoadedApp,
  value: unknown,
  isBuilt: boolean,
  { capture }: LoadOptions,
): Promise<LoadedApp> {
  if (capture === undefined) return app;
  const isOwn = (server: Server): boolean =>
    app.kind === "node" && (isBuilt || servesApp(server, app, value));
  if (app.kind === "server") {
    capture.adopt(app.server);
    return app;
  }
  const adopted = capture.serveExport(isOwn, app.kind === "node" ? app.server : undefined);
  if (adopted === undefined) return app;
  const { loadedServer } = await import("./listening-app.ts");
  const server = loadedServer(adopted);
  if (isBuilt) return server;
  const { what, shutdown, closesUpgraded } = app as LoadedNodeApp;
  return { ...server, what, ...(shutdown && { shutdown }), ...(closesUpgraded && { closesUpgraded }) };
}

function servesApp(server: Server, app: LoadedNodeApp, value: unknown): boolean {
  if (server === app.server) return true;
  // Koa makes a new listener each time.
  if (app.what === "Koa app" && server.listenerCount("request") === 1) return true;
  const listeners = server.listeners("request");
  return listeners.includes(app.listener) || listeners.includes(value as () => void);
}

/** Astro's standalone server exports a second listener like the one that it listens with, and what made it listen. */
function isAstroServer({ handler, options, startServer }: ModuleNamespace): boolean {
  const { mode } = (options ?? {}) as { mode?: unknown };
  return typeof handler === "function" && typeof startServer === "function" && mode === "standalone";
}

async function importApp(location: Location, cwd: string, options: ImportOptions): Promise<ModuleNamespace> {
  try {
    return await importModule(location, { ...options, isApp: true });
  } catch (error) {
    const { importFailure } = await import("./failure.ts");
    throw await importFailure(error, location, cwd);
  }
}

/** Returns the exported value, or the result of the call that the spec asks for; awaits promises. */
async function evaluate(found: Found, spec: AppSpec, shown: string, options: LoadOptions): Promise<unknown> {
  const { cwd = process.cwd(), onStep } = options;
  const called = spec.args !== undefined;
  const name = `${shown}:${found.name}`;
  if (called && typeof found.value !== "function") {
    throw new FatalError(
      `${name} is not a function, so it cannot be called: leave the parentheses out`,
      ExitCode.appLoad,
    );
  }
  if (called || found.value instanceof Promise) onStep?.({ step: "call", of: called ? `${name}()` : name });
  let value: unknown;
  try {
    const result = called ? Reflect.apply(found.value as () => unknown, found.owner, spec.args) : found.value;
    value = isStartedByAwait(result) ? result : await result;
  } catch (error) {
    const { codeFailure } = await import("./failure.ts");
    throw codeFailure(called ? `${name}() failed` : `${name} rejected`, error, cwd);
  }
  if (called && value === undefined) {
    throw new FatalError(`${name}() returned nothing: a factory must return the app`, ExitCode.appLoad);
  }
  return value;
}

function shownName(found: Found, spec: AppSpec, location: Location): string {
  return `${location.shown}:${found.name}${spec.args === undefined ? "" : "()"}`;
}
