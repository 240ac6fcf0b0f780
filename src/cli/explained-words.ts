/** The command line through commander: every form it may have, help, and what is wrong with it. */
import { resolve } from "node:path";
import { type Command, CommanderError } from "commander";
import { foreignFlagMessage } from "../config/foreign-options.ts";
import { absentFlag, absentMessage } from "../config/gunicorn.ts";
import { ExitCode, FatalError } from "../errors.ts";
import { mistakenCommand } from "./mistaken-command.ts";
import { makeProgram } from "./program.ts";

/**
 * Returns the values by setting, or undefined after printing `--help` or `--version`.
 * @param customize gives the program another name and help
 * @throws FatalError (usage)
 */
export function explainedValues(
  args: readonly string[],
  customize: (program: Command) => Command,
): { readonly [name: string]: unknown } | undefined {
  const program = customize(makeProgram());
  try {
    program.parse(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    throw mistaken(program, error) ?? usageError(error);
  }
  const [app] = program.args;
  return { ...program.opts(), ...(app === undefined ? {} : { app }) };
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
