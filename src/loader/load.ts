/** Turns `module:name` into an app that a worker can serve. Every failure becomes one line and exit code 4. */
import { ExitCode, FatalError } from "../errors.ts";
import type { BootStep } from "../ipc/boot-step.ts";
import { fetchInterop, loadedAppOf } from "./app-kind.ts";
import { type Found, findExport } from "./exports.ts";
import { isStartedByAwait } from "./frameworks.ts";
import { importModule, type ModuleNamespace } from "./import-module.ts";
import { ListenCalls } from "./listen-calls.ts";
import type { AppInterface, LoadedApp } from "./loaded-app.ts";
import type { LoadedFiles } from "./loaded-files.ts";
import { type Location, locate } from "./locate.ts";
import { type AppSpec, EXPORTING, parseAppSpec } from "./spec.ts";
import { isTypeScript } from "./typescript.ts";

export type {
  AppInterface,
  LoadedApp,
  LoadedGatewayApp,
  LoadedNodeApp,
  UpgradeListener,
} from "./loaded-app.ts";

export interface LoadOptions {
  /** Interface of the export. Default: `auto`. */
  readonly interface?: AppInterface;
  /** Folder to resolve modules in. Default: the working folder of the process. */
  readonly cwd?: string;
  /** Imports what the worker needs anyway. Awaited before the compiler is registered, which slows every later import. */
  readonly beforeCompiler?: () => Promise<unknown>;
  /** Notified of every file that the app loads, now and later. */
  readonly loadedFiles?: LoadedFiles | undefined;
  /** Called before each step that may take long. */
  readonly onStep?: ((step: BootStep) => void) | undefined;
}

/**
 * Loads the app that `spec` names: imports its module, finds the export, calls it if the spec does, and
 * detects its kind. Runs user code and waits for it without a time limit: that is the caller's job.
 * Throws `FatalError` with `ExitCode.appLoad`; an error of the app itself is its `cause`, with its stack.
 */
export async function loadApp(spec: string, options: LoadOptions = {}): Promise<LoadedApp> {
  const cwd = options.cwd ?? process.cwd();
  const parsed = parseAppSpec(spec);
  const location = locate(parsed.module, cwd);
  if (location.kind === "file" && isTypeScript(location.file)) {
    await Promise.all([options.beforeCompiler?.(), fetchInterop()]);
  }
  const listening = new ListenCalls();
  try {
    options.onStep?.({ step: "load", of: location.shown });
    const module = await importApp(location, cwd, options.loadedFiles);
    const found = await resolveExport(module, parsed, location.shown, listening, cwd);
    const value = await evaluate(found, parsed, location.shown, options);
    const name = shownName(found, parsed, location);
    const app = await loadedAppOf(value, options.interface ?? "auto", name);
    if (app.kind === "node" && listening.serve(app.listener)) {
      const place = (await listening.place(cwd)) ?? "";
      throw new FatalError(
        `${name} already listens${place}: remove its listen() call, because tsgun listens`,
        ExitCode.appLoad,
      );
    }
    return app;
  } finally {
    listening.stop();
  }
}

/** Finds the export. If there is none and the app called listen() itself, the error explains what to export instead. */
async function resolveExport(
  module: ModuleNamespace,
  spec: AppSpec,
  shown: string,
  listening: ListenCalls,
  cwd: string,
): Promise<Found> {
  try {
    return findExport(module, spec, shown);
  } catch (error) {
    const place = await listening.place(cwd);
    if (place === undefined) throw error;
    const { message } = error as FatalError;
    throw new FatalError(
      `${message}; it calls listen() itself${place}: export the app instead (${EXPORTING}), because tsgun listens`,
      ExitCode.appLoad,
    );
  }
}

async function importApp(
  location: Location,
  cwd: string,
  loadedFiles: LoadedFiles | undefined,
): Promise<ModuleNamespace> {
  try {
    return await importModule(location, { prepare: () => loadedFiles?.install() });
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
