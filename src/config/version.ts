/** The version of tsgun, from its package.json. */
import { readFileSync } from "node:fs";

export function packageVersion(): string {
  // The package root is two levels up from both `dist/config` and `src/config`.
  const file = new URL("../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
