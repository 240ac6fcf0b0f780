/** Formats the configuration: every setting with its value and origin. Secrets are hidden. */
import { SETTING_NAMES, type Setting, settingLabel, settings } from "../config/settings.ts";
import type { TracedConfiguration } from "./configuration.ts";

const HIDDEN = "[hidden]";
/** Names of variables whose values must not appear in a log. */
const SECRET_NAME =
  /pass|secret|token|credential|auth|private|dsn|cookie|salt|(?:^|_)key(?:_|$)|api_?key|_url$/i;
/** User and password in a URL. */
const USER_INFO = /(:\/\/)[^/@\s"']+@/g;

/** Formats one line per setting: `keep-alive = 75s # default`. */
export function formatConfig({ config, origins, fileVariables }: Omit<TracedConfiguration, "hooks">): string {
  const rows = SETTING_NAMES.map((name) => ({
    name: settingLabel(name),
    value: written(name, config[name], fileVariables),
    origin: origins.get(name) ?? "default",
  }));
  const width = (of: "name" | "value"): number =>
    Math.max(...rows.map((row) => row[of].length).filter((size) => size < 50));
  const [names, values] = [width("name"), width("value")];
  return rows
    .map(({ name, value, origin }) => `${name.padEnd(names)} = ${value.padEnd(values)} # ${origin}\n`)
    .join("");
}

function written(
  name: (typeof SETTING_NAMES)[number],
  value: unknown,
  fileVariables: ReadonlySet<string> = new Set(),
): string {
  if (value === undefined) return "";
  if (name === "env")
    return Object.entries(value as Record<string, string>)
      .map((pair) => hiddenPair(pair, fileVariables.has(pair[0])))
      .join(" ");
  const { kind, secret } = settings[name] as Setting<unknown>;
  if (secret === true) return HIDDEN;
  const text = kind.format(value);
  const shown = name === "app" ? text.replace(/\(.+\)\s*$/s, `(${HIDDEN})`) : text;
  return shown.replaceAll(USER_INFO, `$1${HIDDEN}@`);
}

/** @param isFromFile hide it, whatever its name: files of variables exist for secrets */
function hiddenPair([name, value]: [string, string], isFromFile: boolean): string {
  const shown = isFromFile || SECRET_NAME.test(name) ? HIDDEN : value.replaceAll(USER_INFO, `$1${HIDDEN}@`);
  return `${name}=${/\s/.test(shown) ? JSON.stringify(shown) : shown}`;
}
