/** Parses the command line and TSGUN_CMD_ARGS into configuration layers. The options come from the settings table. */
import type { Command } from "commander";
import type { Layer } from "../config/config.ts";
import { type SettingName, settingLabel } from "../config/settings.ts";
import { ExitCode, FatalError } from "../errors.ts";
import { plainValues } from "./plain-words.ts";
import { shellWords } from "./shell-words.ts";

/** Command-line options in an environment variable, like gunicorn's GUNICORN_CMD_ARGS. */
const ARGS_VARIABLE = "TSGUN_CMD_ARGS";

/**
 * Parses TSGUN_CMD_ARGS.
 * @throws FatalError (usage)
 */
export async function wordsInEnvironment(environment: NodeJS.ProcessEnv): Promise<Layer[]> {
  const text = environment[ARGS_VARIABLE] ?? "";
  if (text.trim() === "") return [];
  try {
    const layer = await parseCommandLine(shellWords(text));
    if (layer === undefined) throw new Error("--help and --version belong on the command line");
    const origin = (name: string): string => `${layer.origin(name)} in ${ARGS_VARIABLE}`;
    return [{ ...layer, origin, source: "variable" }];
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
export async function parseCommandLine(
  args: readonly string[],
  customize: (program: Command) => Command = (program) => program,
): Promise<Layer | undefined> {
  const values = plainValues(args) ?? (await explained(args, customize));
  return values && { values, origin: (name) => originOf(name as SettingName, values) };
}

async function explained(
  args: readonly string[],
  customize: (program: Command) => Command,
): Promise<Layer["values"] | undefined> {
  const { explainedValues } = await import("./explained-words.ts");
  return explainedValues(args, customize);
}

function originOf(name: SettingName, values: Layer["values"]): string {
  if (name === "app") return "the command line";
  // A setting is false only through --no-….
  return values[name] === false ? `--no-${settingLabel(name)}` : `--${settingLabel(name)}`;
}
