/**
 * Where tsgun's own code is: its folder, and the files of its processes, threads and loader hooks. The build bundles the
 * modules into chunks that lie one folder below `dist/`, as this file lies one below `src/`.
 */
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the code, built or source, with a slash at its end. */
export const OWN_FOLDER = new URL("..", import.meta.url);

/** Its path, with a slash at its end. */
export const OWN_CODE = fileURLToPath(OWN_FOLDER);

/** Whether this process runs the sources, which its threads need a compiler for as well. */
export const RUNS_SOURCE = extname(import.meta.filename) === ".ts";

/** A file that Node starts by its name: what `scripts/bundle.ts` keeps as an entry. */
export type Program =
  | "worker/main"
  | "worker/preflight"
  | "worker/watchdog/thread"
  | "loader/commonjs-facade"
  | "loader/fresh-resolve"
  | "loader/loading-hooks"
  | "loader/typescript-thread";

/** Built as CommonJS, because a thread starts faster (5 ms) where nothing needs the loader of ES modules. */
export const COMMONJS_PROGRAM = "worker/watchdog/thread";

export function programUrl(program: Program): URL {
  const built = program === COMMONJS_PROGRAM ? ".cjs" : ".js";
  return new URL(`${program}${RUNS_SOURCE ? ".ts" : built}`, OWN_FOLDER);
}
