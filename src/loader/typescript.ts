/**
 * TypeScript at run time, by @oxc-node/core: enums, decorators with their metadata, `paths` of tsconfig,
 * imports without an extension. Its hooks cost a thread and some 30 to 75 ms, so they are registered when
 * the first TypeScript file is to be loaded and never for plain JavaScript.
 *
 * Node's own type stripping is not used where it exists: it refuses enums, parameter properties and
 * `paths`, and one app must not load on one version of Node and fail on another.
 */
import { ExitCode, FatalError } from "../errors.ts";

const COMPILER = "@oxc-node/core";
const HOOKS = "@oxc-node/core/register";

/** The part of @oxc-node/core that is used to ask again about a file that did not compile. */
export interface Transformer {
  transform(path: string, source: string): { source(): string; sourceMap(): string | null };
}

let registered: Promise<unknown> | undefined;

/** True for a file whose content is TypeScript (or JSX, which Node cannot run either). */
export function isTypeScript(file: string): boolean {
  return /\.(?:[mc]?ts|[jt]sx)$/.test(file);
}

/** Teaches this process to load TypeScript, once. Throws `FatalError` when the compiler itself cannot be loaded. */
export async function registerTypeScript(): Promise<void> {
  registered ??= import(HOOKS);
  try {
    await registered;
  } catch (cause) {
    throw new FatalError(
      `cannot load the TypeScript compiler ${COMPILER}: ${(cause as Error).message.split("\n")[0]}; reinstall ` +
        "tsgun with its optional dependencies, or compile the app and serve the JavaScript",
      ExitCode.appLoad,
      { cause },
    );
  }
}

/** True once the hooks are in place, from when on they compile JavaScript too. */
export function compilesTypeScript(): boolean {
  return registered !== undefined;
}

/** A transformer with the settings of the hooks. */
export async function makeTransformer(): Promise<Transformer> {
  const { OxcTransformer } = (await import(COMPILER)) as {
    OxcTransformer: new (cwd: string) => Transformer;
  };
  return new OxcTransformer(process.cwd());
}
