/** The version of tsgun, read from its package.json. */
import { readFileSync } from "node:fs";

export function packageVersion(): string {
  // From `dist/config` and from `src/config` alike the package's own folder is two up.
  const file = new URL("../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
