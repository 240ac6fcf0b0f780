/**
 * Generates shell completion from the commander programs, whose options, commands and values come from the
 * settings table.
 */
import type { Command, Option } from "commander";
import { FILE_KINDS } from "../deploy/init/files.ts";
import { controlCommand } from "./ctl/ctl.ts";
import { doctorCommand } from "./doctor.ts";
import { initCommand } from "./init.ts";
import { COMMAND_NAMES } from "./mistaken-command.ts";
import { makeProgram } from "./program.ts";
import { psCommand } from "./ps.ts";
import { topCommand } from "./top.ts";
import { whyCommand } from "./why.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** An option's operand: none, one of some words, a file, a folder, or free text. */
type Value =
  | { readonly type: "none" | "file" | "folder" | "other" }
  | { readonly type: "words"; readonly words: readonly string[] };

interface Completable {
  readonly flags: readonly string[];
  readonly value: Value;
  readonly doc: string;
}

/** Returns the script that completes tsgun's options, commands and values in `shell`. */
export function completionScript(shell: Shell): string {
  const commands = {
    tsgun: completables(makeProgram()),
    ctl: completables(controlCommand()),
    simple: [
      { name: "init", options: completables(initCommand()), words: FILE_KINDS },
      { name: "ps", options: completables(psCommand()), words: [] },
      { name: "top", options: completables(topCommand()), words: [] },
      { name: "why", options: completables(whyCommand()), words: ["last"] },
      { name: "doctor", options: completables(doctorCommand()), words: [] },
    ],
  };
  const subcommands = controlCommand().commands.map((command) => ({
    name: command.name(),
    doc: command.description(),
    options: completables(command).filter(({ flags }) => !flags.includes("--help")),
  }));
  return SCRIPTS[shell](commands, subcommands);
}

interface Commands {
  readonly tsgun: readonly Completable[];
  readonly ctl: readonly Completable[];
  /** Commands without subcommands: they take options and words. */
  readonly simple: readonly Simple[];
}
interface Simple {
  readonly name: string;
  readonly options: readonly Completable[];
  readonly words: readonly string[];
}
interface Subcommand {
  readonly name: string;
  readonly doc: string;
  /** Its own, besides those of `tsgun ctl`. */
  readonly options: readonly Completable[];
}
type Subcommands = readonly Subcommand[];

function completables(program: Command): Completable[] {
  return program
    .createHelp()
    .visibleOptions(program)
    .map((option) => ({
      flags: [option.short, option.long].filter((flag) => flag != null),
      value: operandOf(option),
      doc: firstSentence(option.description),
    }));
}

const FILES = ["FILE", "PATH"];

function operandOf(option: Option): Value {
  if (!option.required && !option.optional) return { type: "none" };
  const placeholder = /[<[](.*)[>\]]/.exec(option.flags)?.[1] ?? "";
  if (placeholder === "DIR") return { type: "folder" };
  if (FILES.includes(placeholder)) return { type: "file" };
  const words = placeholder.split("|").filter((word) => word !== word.toUpperCase());
  return words.length > 0 ? { type: "words", words } : { type: "other" };
}

function firstSentence(text: string): string {
  return (/^.*?[.:;](?=\s|$)/s.exec(text)?.[0] ?? text).replace(/[.:;]$/, "");
}

const APP_FILES = "ts|mts|cts|js|mjs|cjs";

const SCRIPTS: Readonly<Record<Shell, (commands: Commands, subcommands: Subcommands) => string>> = {
  bash,
  zsh,
  fish,
};

function bash({ tsgun, ctl, simple }: Commands, subcommands: Subcommands): string {
  const cases = bashCases(tsgun, "    ");
  const all = (options: readonly Completable[]): string => options.flatMap(({ flags }) => flags).join(" ");
  const names = subcommands.map(({ name }) => name).join(" ");
  return `# Completion of tsgun for bash; generated: tsgun completion bash
_tsgun() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  if [[ \${COMP_WORDS[1]} == ctl && $COMP_CWORD -gt 1 ]]; then
    local own=
    case " \${COMP_WORDS[*]:2:COMP_CWORD-2} " in
${withOptions(subcommands)
  .map(
    ({ name, options }) => `      *" ${name} "*)
        case $before in
${bashCases(options, "          ")}
        esac
        own="${all(options)}" ;;`,
  )
  .join("\n")}
    esac
    case $before in
${bashCases(ctl, "      ")}
    esac
    COMPREPLY=($(compgen -W "${names} $own ${all(ctl)}" -- "$word"))
    return
  fi
  if [[ \${COMP_WORDS[1]} == completion && $COMP_CWORD -gt 1 ]]; then
    COMPREPLY=($(compgen -W "${SHELLS.join(" ")}" -- "$word"))
    return
  fi
${simple.map(bashSimple).join("\n")}
  case $before in
${cases}
  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "${all(tsgun)}" -- "$word"))
    return
  fi
  [[ $COMP_CWORD == 1 ]] && COMPREPLY=($(compgen -W "${COMMAND_NAMES.join(" ")}" -- "$word"))
  local file
  while IFS= read -r file; do
    [[ -d $file || $file =~ \\.(${APP_FILES})$ ]] && COMPREPLY+=("$file")
  done < <(compgen -f -- "$word")
}
complete -o filenames -F _tsgun tsgun
`;
}

function withOptions(subcommands: Subcommands): Subcommands {
  return subcommands.filter(({ options }) => options.length > 0);
}

/** Returns a `case` branch for each option that takes an operand. */
function bashCases(options: readonly Completable[], indent: string): string {
  return options
    .filter(({ value }) => value.type !== "none")
    .map(({ flags, value }) => `${indent}${flags.join("|")}) ${bashValue(value)}; return ;;`)
    .join("\n");
}

function bashSimple({ name, options, words }: Simple): string {
  const offered = [...words, ...options.flatMap(({ flags }) => flags)].join(" ");
  return `  if [[ \${COMP_WORDS[1]} == ${name} && $COMP_CWORD -gt 1 ]]; then
    case $before in
${bashCases(options, "      ")}
    esac
    COMPREPLY=($(compgen -W "${offered}" -- "$word"))
    return
  fi`;
}

function bashValue(value: Value): string {
  if (value.type === "words") return `COMPREPLY=($(compgen -W "${value.words.join(" ")}" -- "$word"))`;
  if (value.type === "file") return 'COMPREPLY=($(compgen -f -- "$word"))';
  return value.type === "folder" ? 'COMPREPLY=($(compgen -d -- "$word"))' : ":";
}

function zsh({ tsgun, ctl, simple }: Commands, subcommands: Subcommands): string {
  const lines = (options: readonly Completable[]): string => zshLines(options, " \\\n");
  return `#compdef tsgun
# Completion of tsgun for zsh; generated: tsgun completion zsh
_tsgun() {
  local -a commands
  if [[ \${words[2]} == ctl && CURRENT -gt 2 ]]; then
    local -a own
${withOptions(subcommands)
  .map(({ name, options }) => `    (( \${words[(I)${name}]} )) && own=(\n${zshLines(options, "\n")}\n    )`)
  .join("\n")}
    commands=(
${subcommands.map(({ name, doc }) => `      ${quoted(`${name}:${doc.replaceAll(":", "\\:")}`)}`).join("\n")}
    )
    _arguments "\${(@)own}" \\
${lines(ctl)} \\
    '*:command:{_describe command commands}'
    return
  fi
  if [[ \${words[2]} == completion && CURRENT -gt 2 ]]; then
    _values shell ${SHELLS.join(" ")}
    return
  fi
${simple.map(({ name, options, words }) => zshSimple(name, lines(options), words)).join("\n")}
  _arguments \\
${lines(tsgun)} \\
    '1:app:{_alternative "commands:command:(${COMMAND_NAMES.join(" ")})" "files:app:_files -g \\"*.(${APP_FILES})\\""}'
}
if [[ $funcstack[1] == _tsgun ]]; then
  _tsgun "$@"
else
  compdef _tsgun tsgun
fi
`;
}

function zshLines(options: readonly Completable[], between: string): string {
  return options
    .flatMap((option) => option.flags.map((flag) => `    ${zshOption(flag, option)}`))
    .join(between);
}

function zshSimple(name: string, options: string, words: readonly string[]): string {
  const rest = words.length === 0 ? "*: : " : `*:file:(${words.join(" ")})`;
  return `  if [[ \${words[2]} == ${name} && CURRENT -gt 2 ]]; then
    words=("\${(@)words[2,-1]}")
    (( CURRENT -= 1 ))
    _arguments \\
${options} \\
    '${rest}'
    return
  fi`;
}

function zshOption(flag: string, { value, doc }: Completable): string {
  const text = doc.replaceAll(/[[\]:]/g, "\\$&");
  return quoted(`*${flag}[${text}]${zshValue(value)}`);
}

function zshValue(value: Value): string {
  if (value.type === "none") return "";
  if (value.type === "words") return `:value:(${value.words.join(" ")})`;
  if (value.type === "other") return ":value: ";
  return value.type === "file" ? ":file:_files" : ":folder:_files -/";
}

function fish({ tsgun, ctl, simple }: Commands, subcommands: Subcommands): string {
  const inCtl = "'__fish_seen_subcommand_from ctl'";
  const others = ["ctl", ...simple.map(({ name }) => name), "completion"].join(" ");
  const outside = `'not __fish_seen_subcommand_from ${others}'`;
  return [
    "# Completion of tsgun for fish; generated: tsgun completion fish",
    ...COMMAND_NAMES.map((name) => `complete -c tsgun -n __fish_use_subcommand -a ${name}`),
    `complete -c tsgun -n '__fish_seen_subcommand_from completion' -f -a '${SHELLS.join(" ")}'`,
    ...subcommands.map(({ name, doc }) => `complete -c tsgun -n ${inCtl} -f -a ${name} -d ${quoted(doc)}`),
    ...ctl.map((option) => fishOption(inCtl, option)),
    ...withOptions(subcommands).flatMap(({ name, options }) => {
      const inside = `'__fish_seen_subcommand_from ctl; and __fish_seen_subcommand_from ${name}'`;
      return options.map((option) => fishOption(inside, option));
    }),
    ...simple.flatMap(({ name, options, words }) => {
      const inside = `'__fish_seen_subcommand_from ${name}'`;
      const named = words.length === 0 ? [] : [`complete -c tsgun -n ${inside} -f -a '${words.join(" ")}'`];
      return [...named, ...options.map((option) => fishOption(inside, option))];
    }),
    ...tsgun.map((option) => fishOption(outside, option)),
    "",
  ].join("\n");
}

function fishOption(condition: string, { flags, value, doc }: Completable): string {
  const names = flags.map((flag) => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  return `complete -c tsgun -n ${condition} ${names.join(" ")}${fishValue(value)} -d ${quoted(doc, "\\'")}`;
}

function fishValue(value: Value): string {
  if (value.type === "none") return "";
  if (value.type === "words") return ` -x -a '${value.words.join(" ")}'`;
  if (value.type === "other") return " -x";
  return value.type === "file" ? " -r -F" : " -x -a '(__fish_complete_directories)'";
}

/** Puts text in single quotes. A quote within becomes `escaped`. */
function quoted(text: string, escaped = "'\\''"): string {
  return `'${text.replaceAll("'", escaped)}'`;
}
