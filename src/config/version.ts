/** The version of tsgun, from its package.json. */
import { readFileSync } from "node:fs";
import { OWN_FOLDER } from "../ipc/programs.ts";

export function packageVersion(): string {
  const file = new URL("../package.json", OWN_FOLDER);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
