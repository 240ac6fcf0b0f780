/** Generates the committed files that derive from the settings and rules tables. A test fails if they are out of date. */
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

/** Returns the content of each file by its path in the repository. */
export function generatedFiles(): Record<string, string> {
  return {
    "docs/settings.md": settingsPage(),
    "docs/doctor.md": doctorPage(),
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
  if (setting.negatable !== undefined) flags.push(`--no-${label}`);
  const written = flags.map((flag) => `\`${flag}\``).join(", ");
  const facts: [string, string][] = [
    ["command line", setting.positional === true ? "by its place: `tsgun APP`" : written],
    [
      "environment",
      environmentNames(name)
        .map((variable) => `\`${variable}\``)
        .join(", "),
    ],
    ["in the file", setting.outsideFile === true ? "cannot stand there" : `\`${name}\``],
    ["type", typeOf(setting)],
    ["default", defaultOf(setting)],
    ["changed by HUP", setting.reload ? "yes" : "no: it takes a restart"],
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

A value is taken from the first of these places that has it:

1. the command line;
2. \`TSGUN_CMD_ARGS\`: words of a command line in a variable, quoted as for a shell;
3. the variable of the setting, such as \`TSGUN_KEEP_ALIVE\` (one that is nearly a setting's is an error);
4. the configuration file;
5. the default.

\`tsgun --print-config\` prints every value and where it comes from. \`tsgun --check-config\` also loads the app.

The configuration file is \`tsgun.config.ts\`, \`.mts\`, \`.js\`, \`.mjs\`, \`.cjs\` or \`.json\` in the folder where the command is started
(\`--chdir\` comes later, as in gunicorn), or what \`--config\` names. Its default export is an object with settings, or
a function that returns one, or promises it. \`defineConfig\` of \`tsgun\` gives it types; in JSON
\`"$schema": "./node_modules/tsgun/docs/tsgun.schema.json"\` lets an editor help. HUP reads it anew, with what it imports
(packages are kept). A file that is wrong is logged at HUP, and the server goes on with what it had.

With \`--preload\` the app is loaded once in a process that is thrown away, before anything is bound or started, and Node's
compile cache is used: in \`$NODE_COMPILE_CACHE\`, else systemd's \`$CACHE_DIRECTORY\`, else \`tsgun/compiled\` in
\`$XDG_CACHE_HOME\` or \`~/.cache\`. Node 20 has no such cache; there the app is only tried. What it gives is in
[architecture.md](architecture.md).

${sections.join("\n")}
## Settings of gunicorn that are not here

Giving one is an error that says the same in one line.

| setting | why it is not here | what to do |
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

Times, sizes and permissions stand in several places: in tsgun's settings, in nginx's configuration, in a unit or a manifest, and
on the machine. Each may be right by itself, and wrong beside the others. \`tsgun doctor\` reads all of them and says what will
break, what that looks like, and how to mend it. Nothing is changed, and the app is not loaded.

\`\`\`sh
tsgun doctor
tsgun doctor --nginx /etc/nginx/nginx.conf --systemd /etc/systemd/system/shop.service
tsgun doctor --nginx site.conf -- app.ts:handler --bind unix:/run/shop.sock --keep-alive 30s
\`\`\`

| option | what is read |
| --- | --- |
| \`--config FILE\` | the configuration, as a start reads it: found, or named, with \`TSGUN_…\` variables |
| \`-- WORDS\` | what the server is started with: its app and options, where these are not all in the file |
| \`--nginx FILE\` | nginx's configuration or a site, with what it includes; without it \`deploy/nginx/*.conf\`, which \`tsgun init\` writes |
| \`--systemd FILE\` | a service or socket unit, with its drop-ins; without it \`deploy/systemd/*\` |
| \`--kubernetes FILE\` | a manifest; without it \`deploy/kubernetes/*.yaml\` |
| \`--pid PID\`, \`--control-socket PATH\` | the server that runs; without either, the one of this app that was started in this folder |
| \`--json\` | prints \`{ "findings": […], "checked": […], "unchecked": […] }\` |

\`--nginx\`, \`--systemd\` and \`--kubernetes\` may be given several times. The words of \`ExecStart=\` and the variables of
\`Environment=\`, and \`args\` and \`env\` of a container, count over the file; with one service among the units, nginx is held
against its configuration. An \`EnvironmentFile=\` is not read. Of the app's folder,
\`package.json\` (for its dependencies) and \`Dockerfile\` are read too. It is best started on the server, in the app's folder.

| exit code | meaning |
| --- | --- |
| 0 | no errors; there may be warnings |
| 1 | at least one error |
| 2 | a file cannot be read or has a mistake, or the command line has |

The last line says what was looked at and what was not, so that no findings are not taken for more than they are. Where a
\`proxy_pass\` leads to another server it is named there; where none leads to tsgun, all are looked at as if they should.

An **error** breaks requests, a start or a stop. A **warning** costs something, or breaks them once something else happens.
What depends on nginx's version (from 1.29.7 on it speaks HTTP/1.1 to upstreams and keeps connections by default) goes by the
nginx that is installed here; without one, the older defaults are assumed, and the finding says so. The user of nginx's workers is
that of the file, of /etc/nginx/nginx.conf, or else \`www-data\` or \`nginx\`.

| rule | level | found when | what breaks | how to mend it |
| --- | --- | --- | --- | --- |
${rows.join("\n")}

What it does not see: whether streams are buffered (an app may say \`X-Accel-Buffering: no\`), of a \`Dockerfile\` more than its variables, other proxies than
nginx, drop-ins that lie elsewhere than beside the unit (\`/etc/systemd/system/NAME.d\` of a unit in \`/usr/lib\`), and, unless the server
runs, limits that a service has and this shell has not.
`;
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
