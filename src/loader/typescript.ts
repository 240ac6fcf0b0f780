/**
 * Loads TypeScript at run time, as ES modules, with @oxc-node/core: enums, decorators with metadata, `paths` of
 * tsconfig, imports without an extension. Its hooks cost 10 ms, and a thread where Node has no others (before 22.19 and
 * 24.5), so we register them before the first TypeScript file loads, and never for plain JavaScript.
 *
 * We do not use Node's own type stripping: it rejects enums, parameter properties and `paths`, and an app must not
 * load on one version of Node and fail on another.
 */
import { ExitCode, FatalError } from "../errors.ts";

const COMPILER = "@oxc-node/core";

/** The part of @oxc-node/core that compiles a file again to locate its syntax error. */
export interface Transformer {
  transform(path: string, source: string): { source(): string; sourceMap(): string | null };
}

let registered: Promise<unknown> | undefined;

/** True for TypeScript files, and for JSX, which Node cannot run either. */
export function isTypeScript(file: string): boolean {
  return /\.(?:[mc]?ts|[jt]sx)$/.test(file);
}

/** Registers the TypeScript hooks in this process, once. Rejects with `FatalError` when the compiler cannot be loaded. */
export async function registerTypeScript(): Promise<void> {
  registered ??= import("./typescript-hooks.ts").then(({ registerHooks }) => registerHooks());
  try {
    await registered;
  } catch (cause) {
    const denial = (await import("../native/permission-model.ts")).denialOf(cause);
    if (denial !== undefined)
      throw new FatalError(
        `cannot load the TypeScript compiler ${COMPILER}: ${denial}, or compile the app and serve the JavaScript`,
        ExitCode.appLoad,
        { cause },
      );
    throw new FatalError(
      `cannot load the TypeScript compiler ${COMPILER}: ${(cause as Error).message.split("\n")[0]}; reinstall ` +
        "tsgun with its optional dependencies, or compile the app and serve the JavaScript",
      ExitCode.appLoad,
      { cause },
    );
  }
}

let commonJs = false;

/** Records that TypeScript of the app may be CommonJS in this process. Returns false if it was recorded before. */
export function expectCommonJs(): boolean {
  if (commonJs) return false;
  commonJs = true;
  return true;
}

/** Whether TypeScript of the app may be CommonJS in this process. */
export function loadsCommonJs(): boolean {
  return commonJs;
}

/** True once the hooks are being registered; from then on they compile JavaScript too. */
export function compilesTypeScript(): boolean {
  return registered !== undefined;
}

/** Makes a transformer with the same settings as the hooks. */
export async function makeTransformer(): Promise<Transformer> {
  const { OxcTransformer } = (await import(COMPILER)) as {
    OxcTransformer: new (cwd: string) => Transformer;
  };
  return new OxcTransformer(process.cwd());
}
