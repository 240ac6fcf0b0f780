/** How `ps` shows the processes of a server: by their role and the server's name. */
import type { Config } from "./settings.ts";

/** The server's name: `--name`, or else the app. */
export function processName({ name, app }: Pick<Config, "name" | "app">): string {
  return name ?? app ?? "";
}

/** @param role `arbiter`, `worker 1` … */
export function processTitle(role: string, config: Pick<Config, "name" | "app">): string {
  return `tsgun: ${role} [${processName(config)}]`;
}
