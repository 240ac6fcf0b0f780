/**
 * Whether text may be coloured: on a terminal, unless somebody says otherwise in the environment (NO_COLOR of
 * no-color.org; FORCE_COLOR, as Node takes it; CLICOLOR and CLICOLOR_FORCE of bixense.com/clicolors).
 */
import { createRequire } from "node:module";

export function wantsColour(fd: number, env: NodeJS.ProcessEnv = process.env): boolean {
  const { NO_COLOR = "", FORCE_COLOR, CLICOLOR_FORCE = "0", CLICOLOR, TERM } = env;
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== "0" && FORCE_COLOR !== "false";
  if (NO_COLOR !== "") return false;
  if (CLICOLOR_FORCE !== "0" && CLICOLOR_FORCE !== "") return true;
  if (CLICOLOR === "0" || TERM === "dumb") return false;
  const { isatty } = createRequire(import.meta.url)("node:tty") as typeof import("node:tty");
  return isatty(fd);
}
