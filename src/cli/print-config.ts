/** Formats the configuration: every setting with its value and origin. Secrets are hidden. */
import { shownSettings } from "../config/shown-settings.ts";
import type { TracedConfiguration } from "./configuration.ts";

/** Names of variables whose values must not appear in a log. */
const SECRET_NAME =
  /pass|secret|token|credential|auth|private|dsn|cookie|salt|(?:^|_)key(?:_|$)|api_?key|_url$/i;

/** Formats one line per setting: `keep-alive = 75s # default`. */
export function formatConfig(read: Omit<TracedConfiguration, "hooks">): string {
  const { config, fileVariables = new Set() } = read;
  const rows = shownSettings(config, read, {
    hidden: "[hidden]",
    // Whatever its name, if it is from a file of variables: such files exist for secrets.
    hidesVariable: (name) => fileVariables.has(name) || SECRET_NAME.test(name),
  });
  const width = (of: "label" | "value"): number =>
    Math.max(...rows.map((row) => row[of].length).filter((size) => size < 50));
  const [labels, values] = [width("label"), width("value")];
  return rows
    .map(({ label, value, origin }) => `${label.padEnd(labels)} = ${value.padEnd(values)} # ${origin}\n`)
    .join("");
}
