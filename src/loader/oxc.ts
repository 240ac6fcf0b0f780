/** @oxc-node/core, which compiles ES modules: what its own `register` is made of. */
import { createRequire } from "node:module";

interface ResolveContext {
  readonly parentURL?: string | undefined;
  readonly importAttributes?: object;
}

/** The next hook of the chain. In the loader's thread it returns a promise, and so do these hooks. */
type Next<Result> = (asked: string, context?: object) => Result;

export interface Oxc {
  readonly OxcTransformer: new (
    cwd: string,
    helperModuleName?: string,
  ) => { transform(path: string, source: string): { source(): string; sourceMap(): string | null } };
  createResolve<Result>(
    options: { getCurrentDirectory(): string },
    specifier: string,
    context: ResolveContext,
    next: Next<Result>,
  ): Result;
  load<Result>(url: string, context: object, next: Next<Result>, helperModuleName: string): Result;
  /** Whether a file of a package is compiled as well (`OXC_TRANSFORM_ALL`). */
  transformsDep(file: string): boolean;
  initTracing(): void;
}

const COMPILER = "@oxc-node/core";

/** The specifier by which compiled code imports helpers. The tag tells other copies of the compiler that they are ours. */
export const HELPERS = `${COMPILER}@tsgun`;

const require = createRequire(import.meta.url);

/** Throws if it is not installed, or not for this machine. */
export function loadOxc(): Oxc {
  return require(COMPILER) as Oxc;
}

/** The file of a helper; undefined if `specifier` names none of ours. */
export function helperOf(specifier: string): string | undefined {
  return specifier.startsWith(`${HELPERS}/`)
    ? require.resolve(COMPILER + specifier.slice(HELPERS.length))
    : undefined;
}

/** Requires another package of the compiler's: it may be installed for the compiler alone. */
export function requireOfOxc(name: string): unknown {
  return createRequire(require.resolve(COMPILER))(name);
}
