/** Generates the committed files that derive from the tables of settings, rules and metrics. A test fails if they are out of date. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { toJsonSchema } from "@valibot/to-json-schema";
import { completionScript } from "../src/cli/completion.ts";
import { ABSENT_SETTINGS, OTHER_DEFAULTS, RENAMED_SETTINGS } from "../src/config/gunicorn.ts";
import {
  environmentNames,
  SECTIONS,
  SETTING_NAMES,
  type Setting,
  type SettingName,
  settingLabel,
  settings,
} from "../src/config/settings.ts";
import { RULES } from "../src/deploy/doctor/rules.ts";
import { METRICS } from "../src/deploy/init/promql.ts";
import { vulnerabilitiesPage } from "../test/http/cves/table.ts";

/** Returns the content of each file by its path in the repository. */
export function generatedFiles(): Record<string, string> {
  return {
    "docs/settings.md": settingsPage(),
    "docs/doctor.md": doctorPage(),
    "docs/monitoring.md": monitoringPage(),
    "docs/vulnerabilities.md": vulnerabilitiesPage(),
    "docs/tsgun.schema.json": `${JSON.stringify(jsonSchema(), undefined, 2)}\n`,
    "completions/tsgun.bash": completionScript("bash"),
    "completions/_tsgun": completionScript("zsh"),
    "completions/tsgun.fish": completionScript("fish"),
  };
}

function settingOf(name: SettingName): Setting<unknown> {
  return settings[name] as Setting<unknown>;
}

/** Describes a value's type, by its placeholder in the help. */
const TYPES: Readonly<Record<string, string>> = {
  "": "yes or no",
  INT: "a whole number",
  "INT|auto": "a whole number, or `auto`",
  SECONDS: "a time span: seconds, or text with a unit (`500ms`, `30s`, `1m`, `1h`)",
  BYTES: "a size: bytes, or text with a unit (`512KB`, `10MB`, `1GB`)",
  OCTAL: "a mode in octal, such as `660`",
  ADDRESS: "an address",
  "N/SECONDS": "a number and a time span, such as `5/60s`; `0` for none",
  "NAME=VALUE": "an object, or a list of `NAME=VALUE`",
};

function typeOf({ kind, negatable }: Setting<unknown>): string {
  const words = kind.placeholder.split("|").map((word) => `\`${word}\``);
  const type = TYPES[kind.placeholder] ?? (words.length > 1 ? `one of ${words.join(", ")}` : "text");
  const several = kind.repeatable === true && kind.placeholder !== "NAME=VALUE" ? ", or a list" : "";
  return `${type}${several}${negatable !== undefined ? "; `false` or `none` for none" : ""}`;
}

function defaultOf({ kind, default: fallback, defaultDoc }: Setting<unknown>): string {
  if (defaultDoc !== undefined) return defaultDoc;
  return fallback === undefined ? "none" : `\`${kind.format(fallback)}\``;
}

const GUNICORN_NAMES = new Map(Object.entries(RENAMED_SETTINGS).map(([theirs, label]) => [label, theirs]));

function entry(name: SettingName): string {
  const setting = settingOf(name);
  const label = settingLabel(name);
  const flags = setting.positional === true ? [] : [...(setting.flags ?? []), `--${label}`];
  if (setting.variant !== undefined) flags.push(setting.variant.flag);
  if (setting.negatable !== undefined) flags.push(`--no-${label}`);
  const written = flags.map((flag) => `\`${flag}\``).join(", ");
  const facts: [string, string][] = [
    ["command line", setting.positional === true ? "the argument: `tsgun APP`" : written],
    [
      "environment",
      environmentNames(name)
        .map((variable) => `\`${variable}\``)
        .join(", "),
    ],
    ["in the file", setting.outsideFile === true ? "not allowed there" : `\`${name}\``],
    ["type", typeOf(setting)],
    ["default", defaultOf(setting)],
    ["changed by HUP", setting.reload ? "yes" : "no: needs a restart"],
  ];
  const other = OTHER_DEFAULTS[label];
  if (other !== undefined) facts.push(["gunicorn's default", `\`${other.theirs}\`: ${other.why}`]);
  const theirs = GUNICORN_NAMES.get(label);
  if (theirs !== undefined) facts.push(["gunicorn's files", `\`${theirs}\``]);
  return `### ${label}\n\n${setting.doc}\n\n${facts.map(([what, fact]) => `- ${what}: ${fact}`).join("\n")}\n`;
}

function settingsPage(): string {
  const sections = SECTIONS.map((section) => {
    const names = SETTING_NAMES.filter((name) => settingOf(name).section === section);
    return `## ${section}\n\n${names.map(entry).join("\n")}`;
  });
  const absent = ABSENT_SETTINGS.map(({ name, flags, why, instead }) => {
    const shown = [...flags.map((flag) => `\`${flag}\``), `\`${name}\``].join(", ");
    return `| ${shown} | ${why} | ${instead} |`;
  });
  return `<!-- Made by npm run generate from src/config. -->

# Settings

A setting's value comes from the first of these places that has it:

1. the command line;
2. \`TSGUN_CMD_ARGS\`: command line arguments in a variable, quoted as for a shell;
3. the setting's own variable, such as \`TSGUN_KEEP_ALIVE\` (a misspelt one is an error);
4. the configuration file;
5. the default.

\`tsgun --print-config\` prints every value and where it comes from. \`tsgun --check-config\` also loads the app.

The configuration file is \`tsgun.config.ts\`, \`.mts\`, \`.js\`, \`.mjs\`, \`.cjs\` or \`.json\` in the folder where you start the command
(\`--chdir\` applies later, as in gunicorn), or the file named by \`--config\`. Its default export is an object with settings, or a function
that returns one or a promise of one. \`defineConfig\` of \`tsgun\` types it; in JSON
\`"$schema": "./node_modules/tsgun/docs/tsgun.schema.json"\` lets an editor help. HUP reads the file again with the modules it imports
(except packages). If it has a mistake, HUP logs that and the server keeps its settings.

The variables that the app gets are another matter: [environment.md](environment.md).

With \`--preload\` the app is loaded once in a throwaway process, before anything is bound or started. Node's compile cache is used: in
\`$NODE_COMPILE_CACHE\`, else systemd's \`$CACHE_DIRECTORY\`, else \`tsgun/compiled\` in \`$XDG_CACHE_HOME\` or \`~/.cache\`. Node 20 has no
such cache and only tries the app. [architecture.md](architecture.md) has the gain.

${sections.join("\n")}
## Settings of gunicorn that are not here

Passing one is an error that says the same in one line.

| setting | why it is not here | instead |
| --- | --- | --- |
${absent.join("\n")}
`;
}

function doctorPage(): string {
  const rows = RULES.map(
    ({ id, level, title, breaks, mend }) => `| \`${id}\` | ${level} | ${title} | ${breaks} | ${mend} |`,
  );
  return `<!-- Made by npm run generate from src/deploy/doctor. -->

# tsgun doctor

Times, sizes and permissions are set in several places: in tsgun's settings, in nginx's configuration, in a unit or a manifest, and
on the machine. Each may be right by itself and wrong beside the others. \`tsgun doctor\` reads all of them and reports what will
break, how that shows, and how to fix it. It changes nothing and does not load the app.

\`\`\`sh
tsgun doctor
tsgun doctor --nginx /etc/nginx/nginx.conf --systemd /etc/systemd/system/shop.service
tsgun doctor --nginx site.conf -- app.ts:handler --bind unix:/run/shop.sock --keep-alive 30s
\`\`\`

| option | what is read |
| --- | --- |
| \`--config FILE\` | the configuration, as at startup: found or named, with \`TSGUN_…\` variables |
| \`-- WORDS\` | the server's command line: its app and options, if they are not all in the file |
| \`--nginx FILE\` | nginx's configuration or a site, with what it includes; without it \`deploy/nginx/*.conf\`, which \`tsgun init\` writes |
| \`--systemd FILE\` | a service or socket unit, with its drop-ins; without it \`deploy/systemd/*\` |
| \`--kubernetes FILE\` | a manifest; without it \`deploy/kubernetes/*.yaml\` |
| \`--pid PID\`, \`--control-socket PATH\` | the running server; without either, the one started in this folder for this app |
| \`--json\` | prints \`{ "findings": […], "checked": […], "unchecked": […] }\` |

You may give \`--nginx\`, \`--systemd\` and \`--kubernetes\` several times. The words of \`ExecStart=\` and the variables of
\`Environment=\`, and \`args\` and \`env\` of a container, override the configuration file. If the units have one service, nginx is
checked against that service's configuration. An \`EnvironmentFile=\` is not read. In the app's folder doctor also reads
\`package.json\` (for its dependencies) and \`Dockerfile\`. Run it on the server, in the app's folder.

A certificate's names are compared with those that nginx verifies, by \`proxy_ssl_verify\`, and with those for which clients reach tsgun
itself. A variable in \`proxy_ssl_name\` other than \`$host\`, \`$http_host\`, \`$server_name\`, \`$ssl_server_name\` and \`$proxy_host\`
is not followed, nor is what a hook \`sslContext\` makes of the certificates. Who may write a file is judged by its mode and that of
all folders on the way to it and to what a symbolic link points to, without access control lists.

| exit code | meaning |
| --- | --- |
| 0 | no errors; there may be warnings |
| 1 | at least one error |
| 2 | a file cannot be read or has a mistake, or the command line is wrong |

The last line says what was checked and what was not. If a \`proxy_pass\` leads to another server, that line names it; if none leads to
tsgun, all are checked as if they should.

An **error** breaks requests, a start or a stop. A **warning** costs something, or breaks them once something else happens. Rules that
depend on nginx's version (from 1.29.7 on it speaks HTTP/1.1 to upstreams and keeps connections by default) use the installed nginx;
without one they assume the older defaults, and the finding says so. The user of nginx's workers is read from the given file, then
from /etc/nginx/nginx.conf; else it is \`www-data\` or \`nginx\`.

| rule | level | found when | what breaks | how to fix it |
| --- | --- | --- | --- | --- |
${rows.join("\n")}

Doctor does not check whether streams are buffered (an app may say \`X-Accel-Buffering: no\`), anything in a \`Dockerfile\` but its
variables, other proxies than nginx, drop-ins that are not beside the unit (\`/etc/systemd/system/NAME.d\` of a unit in \`/usr/lib\`),
and, unless the server runs, limits that a service has and this shell has not.
`;
}

/** The page of monitoring with its table of metrics; the rest of it is written by hand. */
function monitoringPage(): string {
  const file = join(import.meta.dirname, "..", "docs", "monitoring.md");
  const rows = Object.values(METRICS).map(({ name, type, labels, help }) => {
    const named = labels.map((label) => `\`${label}\``).join(", ");
    return `| \`${name}\` | ${type} | ${named} | ${help} |`;
  });
  const table = ["| metric | type | labels | what |", "| --- | --- | --- | --- |", ...rows].join("\n");
  return readFileSync(file, "utf8").replace(
    /(<!-- metrics: .*? -->\n).*?(?=<!-- end of metrics -->)/s,
    (_, start: string) => `${start}\n${table}\n\n`,
  );
}

function jsonSchema(): object {
  const names = SETTING_NAMES.filter((name) => settingOf(name).outsideFile !== true);
  const properties = names.map((name) => [name, propertyOf(name)]);
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "tsgun.config.json",
    type: "object",
    additionalProperties: false,
    properties: { $schema: { type: "string" }, ...Object.fromEntries(properties) },
  };
}

function propertyOf(name: SettingName): object {
  const { kind, doc, default: fallback, defaultDoc } = settingOf(name);
  const { $schema: _, ...schema } = toJsonSchema(kind.schema, { typeMode: "input", errorMode: "ignore" });
  return {
    description: doc,
    ...schema,
    ...(fallback !== undefined && defaultDoc === undefined && { default: plainDefault(name) }),
  };
}

/** Returns the default as written in JSON: as text if it has a unit or a format of its own. */
function plainDefault(name: SettingName): unknown {
  const { kind, default: fallback } = settingOf(name);
  if (typeof fallback === "boolean") return fallback;
  const text = kind.format(fallback);
  return typeof fallback === "number" && String(Number(text)) === text ? Number(text) : text;
}
