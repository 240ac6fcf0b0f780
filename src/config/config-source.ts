/** Finds the default configuration file. Runs at every start, so it costs only a few stat calls. */
import { statSync } from "node:fs";
import { join } from "node:path";

/** TypeScript first, so that compiled output beside its source is not read by accident. */
export const CONFIG_NAMES: readonly string[] = ["ts", "mts", "js", "mjs", "cjs", "json"].map(
  (ending) => `tsgun.config.${ending}`,
);

/** Returns the first file with a default name in `folder`, or undefined. */
export function findConfigFile(folder: string): string | undefined {
  return CONFIG_NAMES.map((name) => join(folder, name)).find(isFile);
}

export function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
