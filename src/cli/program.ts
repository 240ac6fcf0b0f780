/** Builds the commander program: options and help come from the settings table. */
import { Command, Option } from "commander";
import type { Kind } from "../config/kind.ts";
import {
  SECTIONS,
  SETTING_NAMES,
  type Setting,
  type SettingName,
  settingLabel,
  settings,
} from "../config/settings.ts";
import { packageVersion } from "../config/version.ts";

/** A list of choices too long for the help's option column. */
const LONG_CHOICE = /<\w+(?:\|\w+){4,}>/;

/** The other commands, below the options. */
const COMMANDS = `
Commands (see tsgun COMMAND --help):
  tsgun dev APP           Serve an app for development, with reload and errors.
  tsgun ps                List the running servers.
  tsgun top               Watch a server live: requests, latency, workers.
  tsgun ctl COMMAND       Control a running server: status, reload, scale, …
  tsgun why [PID]         Tell why a worker ended.
  tsgun init              Write files for nginx, systemd, Docker, Grafana, …
  tsgun doctor            Find what will break in production.
  tsgun completion SHELL  Print a completion script for bash, zsh or fish.`;

export function makeProgram(): Command {
  const program = new Command("tsgun")
    .description("Serves a TypeScript or JavaScript application with a pool of worker processes.")
    .usage("[options] [APP]")
    .argument("[app]", settings.app.doc)
    .version(`tsgun ${packageVersion()}`, "-v, --version", "Print the version.")
    .helpOption("-h, --help", "Print this help.")
    .addHelpText("after", COMMANDS)
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .configureHelp({
      minWidthToWrap: 20,
      optionTerm: (option) => option.flags.replace(LONG_CHOICE, "<WORD>"),
      optionDescription(option) {
        const words = LONG_CHOICE.exec(option.flags)?.[0].slice(1, -1).replaceAll("|", ", ");
        return words === undefined ? option.description : `${option.description} One of ${words}.`;
      },
    });
  for (const section of SECTIONS) {
    for (const name of SETTING_NAMES) {
      if (settings[name].section === section) addOptions(program, name);
    }
  }
  return program;
}

export function flagOf(name: SettingName): string {
  return `--${settingLabel(name)}`;
}

function addOptions(program: Command, name: SettingName): void {
  const {
    flags = [],
    section,
    doc,
    kind,
    positional,
    negatable,
    variant,
    default: fallback,
  } = settings[name] as Setting<unknown>;
  if (positional === true) return;
  const shown =
    fallback === undefined || kind.bare === true ? doc : `${doc} (default: ${kind.format(fallback)})`;
  const short = flags.filter((flag) => !flag.startsWith("--"));
  const operand = operandOf(kind);
  const main = new Option([...short, `${flagOf(name)}${operand}`].join(", "), shown).preset(kind.alone);
  program.addOption(collecting(main, kind.repeatable).helpGroup(`${section}:`));
  if (negatable !== undefined) {
    // Next to a positive option, commander gives --no-… no default.
    program.addOption(new Option(`--no-${settingLabel(name)}`, negatable).helpGroup(`${section}:`));
  }
  if (variant !== undefined) {
    const other = new Option(`${variant.flag}${operand}`, variant.doc).helpGroup(`${section}:`);
    other.attributeName = () => name;
    program.addOption(collecting(other, kind.repeatable, variant.rewrite));
  }
  for (const flag of flags) {
    if (!flag.startsWith("--")) continue;
    // An alias sets the same setting and is hidden from the help.
    const alias = new Option(`${flag}${operand}`, doc).hideHelp();
    alias.attributeName = () => name;
    program.addOption(collecting(alias, kind.repeatable));
  }
}

function operandOf({ bare, alone, placeholder }: Kind<unknown>): string {
  if (bare === true) return "";
  return alone === undefined ? ` <${placeholder}>` : ` [${placeholder}]`;
}

/** Makes a repeatable option collect its values. For any other the last one wins. */
function collecting(
  option: Option,
  repeatable: boolean | undefined,
  rewrite: (value: string) => string = (value) => value,
): Option {
  if (repeatable !== true) return option;
  return option.argParser((value: string, before: string[] | undefined) => [
    ...(before ?? []),
    rewrite(value),
  ]);
}
