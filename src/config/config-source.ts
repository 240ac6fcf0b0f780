/** Where the configuration file is when nobody says so. Looked for at every start, so it costs a few stats and no more. */
import { statSync } from "node:fs";
import { join } from "node:path";

/** TypeScript first: compiled output beside its source must not be read by accident. */
export const CONFIG_NAMES: readonly string[] = ["ts", "mts", "js", "mjs", "cjs", "json"].map(
  (ending) => `tsgun.config.${ending}`,
);

/** The file of one of the default names in `folder`. */
export function findConfigFile(folder: string): string | undefined {
  return CONFIG_NAMES.map((name) => join(folder, name)).find(isFile);
}

export function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
