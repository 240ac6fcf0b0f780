/** Parses the command line and TSGUN_CMD_ARGS into configuration layers. The options come from the settings table. */
import { resolve } from "node:path";
import { type Command, CommanderError } from "commander";
import type { Layer } from "../config/config.ts";
import { foreignFlagMessage } from "../config/foreign-options.ts";
import { absentFlag, absentMessage } from "../config/gunicorn.ts";
import { type SettingName, settingLabel } from "../config/settings.ts";
import { ExitCode, FatalError } from "../errors.ts";
import { mistakenCommand } from "./mistaken-command.ts";
import { flagOf, makeProgram } from "./program.ts";
import { shellWords } from "./shell-words.ts";

/** Command-line options in an environment variable, like gunicorn's GUNICORN_CMD_ARGS. */
const ARGS_VARIABLE = "TSGUN_CMD_ARGS";

/**
 * Parses TSGUN_CMD_ARGS.
 * @throws FatalError (usage)
 */
export function wordsInEnvironment(environment: NodeJS.ProcessEnv): Layer[] {
  const text = environment[ARGS_VARIABLE] ?? "";
  if (text.trim() === "") return [];
  try {
    const layer = parseCommandLine(shellWords(text));
    if (layer === undefined) throw new Error("--help and --version belong on the command line");
    return [{ ...layer, origin: (name) => `${layer.origin(name)} in ${ARGS_VARIABLE}` }];
  } catch (error) {
    if (error instanceof FatalError)
      throw new FatalError(`${ARGS_VARIABLE}: ${error.message}`, error.exitCode, { cause: error });
    throw new FatalError(`${ARGS_VARIABLE}: ${(error as Error).message}`, ExitCode.usage, { cause: error });
  }
}

/**
 * Parses the command line. Returns undefined after printing `--help` or `--version`.
 * @param customize gives the program another name and help
 * @throws FatalError (usage)
 */
export function parseCommandLine(
  args: readonly string[],
  customize: (program: Command) => Command = (program) => program,
): Layer | undefined {
  const program = customize(makeProgram());
  try {
    program.parse(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    throw mistaken(program, error) ?? usageError(error);
  }
  const [app] = program.args;
  const values = { ...program.opts(), ...(app === undefined ? {} : { app }) };
  return { values, origin: (name) => originOf(name as SettingName, values) };
}

/** Explains excess arguments: the first word is usually a mistaken command. */
function mistaken(program: Command, error: CommanderError): FatalError | undefined {
  const [word = "", ...rest] = program.args;
  if (error.code !== "commander.excessArguments") return undefined;
  const { chdir = "." } = program.opts<{ chdir?: string }>();
  const message = mistakenCommand(word, rest, resolve(chdir));
  if (message === undefined) return undefined;
  return new FatalError(`${message} (see tsgun --help)`, ExitCode.usage, { cause: error });
}

function originOf(name: SettingName, values: Layer["values"]): string {
  if (name === "app") return "the command line";
  // A setting is false only through --no-….
  return values[name] === false ? `--no-${settingLabel(name)}` : flagOf(name);
}

/** Turns commander's error into one line, with advice for an option of gunicorn or another server. */
export function usageError(error: CommanderError, help = "tsgun --help"): FatalError {
  const [, word = ""] = /^error: unknown option '([^']*)'/.exec(error.message) ?? [];
  const absent = absentFlag(word);
  if (absent !== undefined)
    return new FatalError(absentMessage(absent, word.replace(/=.*/s, "")), ExitCode.usage, { cause: error });
  const foreign = foreignFlagMessage(word);
  if (foreign !== undefined)
    return new FatalError(`${foreign} (see ${help})`, ExitCode.usage, { cause: error });
  const message = error.message.replace(/^error: /, "").replaceAll(/\s*\n\s*/g, " ");
  return new FatalError(`${message} (see ${help})`, ExitCode.usage, { cause: error });
}
