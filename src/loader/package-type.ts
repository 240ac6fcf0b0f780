/** The format that package.json gives to the JavaScript of its folder. Read once per process, as Node does. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

export type ModuleFormat = "commonjs" | "module";

const types = new Map<string, ModuleFormat | undefined>();

/** `type` of the nearest package.json; undefined if it has none. */
export function packageType(folder: string): ModuleFormat | undefined {
  if (types.has(folder)) return types.get(folder);
  let type: unknown;
  const parent = dirname(folder);
  try {
    type = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).type;
  } catch {
    type = parent === folder ? undefined : packageType(parent);
  }
  const known = type === "module" || type === "commonjs" ? type : undefined;
  types.set(folder, known);
  return known;
}
