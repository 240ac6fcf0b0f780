/** How `ps` shows the processes of a server: by their role and the server's name. */
import type { Config } from "./settings.ts";

/** The arguments of the app's function. */
const ARGUMENTS = /\(.+\)\s*$/s;

/** Returns the name of an app without the arguments of its function, which may be secrets. */
export function shownApp(app: string, hidden = "***"): string {
  return app.replace(ARGUMENTS, `(${hidden})`);
}

/** The server's name: `--name`, or else the app. Every user of the machine can read it. */
export function processName({ name, app }: Pick<Config, "name" | "app">): string {
  return name ?? shownApp(app ?? "");
}

/** @param role `arbiter`, `worker 1` … */
export function processTitle(role: string, config: Pick<Config, "name" | "app">): string {
  return `tsgun: ${role} [${processName(config)}]`;
}
