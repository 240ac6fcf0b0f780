/** The command line, made from the table of settings: options, their help, and the layer of what was given. */
import { Command, CommanderError, Option } from "commander";
import { BootReport } from "../arbiter/boot-report.ts";
import type { Layer } from "../config/config.ts";
import {
  SECTIONS,
  SETTING_NAMES,
  type Setting,
  type SettingName,
  settingLabel,
  settings,
} from "../config/settings.ts";
import { packageVersion } from "../config/version.ts";
import { ExitCode, FatalError } from "../errors.ts";
import { ConfigurationReader } from "./configuration.ts";
import { asDevelopment, developmentLayer, enterDevelopment } from "./development.ts";
import { shellWords } from "./shell-words.ts";

/**
 * Runs the command and returns the exit code. `args` are the words behind the command's name.
 * What is wrong ends as one line on the standard error.
 */
export async function runCommand(args: readonly string[]): Promise<ExitCode> {
  // Whoever is owed one started this process: the command behind --daemon, or an older arbiter.
  const report = BootReport.owed();
  try {
    if (args[0] === "ctl") return await runControl(args.slice(1));
    const development = args[0] === "dev";
    const given = development ? parseCommandLine(args.slice(1), asDevelopment) : parseCommandLine(args);
    if (given === undefined) return ExitCode.ok;
    if (development) enterDevelopment(process.env);
    const defaults = development ? [developmentLayer] : [];
    const reader = new ConfigurationReader([...wordsInEnvironment(process.env), given], defaults);
    const configuration = await reader.read();
    if (configuration.config.daemon && report === undefined) return await goToBackground(args);
    const { Arbiter } = await import("../arbiter/arbiter.ts");
    return await new Arbiter({ configuration, readAgain: () => reader.read(), report }).run();
  } catch (error) {
    const { message, exitCode = ExitCode.failure } = error as Partial<FatalError>;
    report?.failed(message ?? String(error), exitCode);
    if (!(error instanceof FatalError)) throw error;
    process.stderr.write(`tsgun: ${error.message}\n`);
    return error.exitCode;
  }
}

/** `--daemon`: this process stays only until the server serves, or says why it does not. */
async function goToBackground(args: readonly string[]): Promise<ExitCode> {
  const { startDaemon } = await import("../arbiter/daemon.ts");
  const { countActivatedSockets } = await import("../systemd/activation.ts");
  const { exitCode, message } = await startDaemon({ args, inherited: countActivatedSockets() });
  if (message !== undefined) process.stderr.write(`tsgun: ${message}\n`);
  return exitCode as ExitCode;
}

/** `tsgun ctl …`; loaded only then, since a server is started more often than asked. */
async function runControl(args: readonly string[]): Promise<ExitCode> {
  const { controlCommand } = await import("./ctl.ts");
  const command = controlCommand();
  try {
    await command.parseAsync(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw usageError(error, "tsgun ctl --help");
  }
  return (process.exitCode as ExitCode | undefined) ?? ExitCode.ok;
}

/** Where gunicorn reads GUNICORN_CMD_ARGS: options in a variable, as they would be typed. */
const WORDS = "TSGUN_CMD_ARGS";

/** @throws FatalError (usage) */
function wordsInEnvironment(environment: NodeJS.ProcessEnv): Layer[] {
  const text = environment[WORDS] ?? "";
  if (text.trim() === "") return [];
  try {
    const layer = parseCommandLine(shellWords(text));
    if (layer === undefined) throw new Error("--help and --version belong on the command line");
    return [{ ...layer, origin: (name) => `${layer.origin(name)} in ${WORDS}` }];
  } catch (error) {
    if (error instanceof FatalError)
      throw new FatalError(`${WORDS}: ${error.message}`, error.exitCode, { cause: error });
    throw new FatalError(`${WORDS}: ${(error as Error).message}`, ExitCode.usage, { cause: error });
  }
}

/**
 * What the command line sets; undefined when it asked for help or the version, which have been printed.
 * @param dress gives the program another name and help
 * @throws FatalError (usage)
 */
export function parseCommandLine(
  args: readonly string[],
  dress: (program: Command) => Command = (program) => program,
): Layer | undefined {
  const program = dress(makeProgram());
  try {
    program.parse(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    throw usageError(error);
  }
  const [app] = program.args;
  const values = { ...program.opts(), ...(app === undefined ? {} : { app }) };
  return { values, origin: (name) => (name === "app" ? "the command line" : flagOf(name as SettingName)) };
}

/** A mistake on the command line, as one line. */
function usageError(error: CommanderError, help = "tsgun --help"): FatalError {
  const message = error.message.replace(/^error: /, "").replaceAll(/\s*\n\s*/g, " ");
  return new FatalError(`${message} (see ${help})`, ExitCode.usage, { cause: error });
}

function makeProgram(): Command {
  const program = new Command("tsgun")
    .description("Serves a TypeScript or JavaScript application with a pool of worker processes.")
    .usage("[options] [APP]")
    .argument("[app]", settings.app.doc)
    .version(`tsgun ${packageVersion()}`, "-v, --version", "Print the version.")
    .helpOption("-h, --help", "Print this help.")
    .addHelpText(
      "after",
      "\nA running server is asked with: tsgun ctl status|workers|reload|scale|… (see tsgun ctl --help)" +
        "\nWhile you write the application: tsgun dev APP (see tsgun dev --help)",
    )
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  for (const section of SECTIONS) {
    for (const name of SETTING_NAMES) {
      if (settings[name].section === section) addOptions(program, name);
    }
  }
  return program;
}

function flagOf(name: SettingName): string {
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
    default: fallback,
  } = settings[name] as Setting<unknown>;
  if (positional === true) return;
  const shown = fallback === undefined ? doc : `${doc} (default: ${kind.format(fallback)})`;
  const short = flags.filter((flag) => !flag.startsWith("--"));
  const operand = kind.bare === true ? "" : ` <${kind.placeholder}>`;
  const main = new Option([...short, `${flagOf(name)}${operand}`].join(", "), shown);
  program.addOption(collecting(main, kind.repeatable).helpGroup(`${section}:`));
  if (negatable === true) {
    // Beside a positive option commander gives no default to this one.
    program.addOption(
      new Option(`--no-${settingLabel(name)}`, `No ${settingLabel(name)}.`).helpGroup(`${section}:`),
    );
  }
  for (const flag of flags) {
    if (!flag.startsWith("--")) continue;
    // Another spelling sets the same setting, and is not shown.
    const alias = new Option(`${flag}${operand}`, doc).hideHelp();
    alias.attributeName = () => name;
    program.addOption(collecting(alias, kind.repeatable));
  }
}

/** An option that may be given several times keeps every value; of another the last counts. */
function collecting(option: Option, repeatable: boolean | undefined): Option {
  if (repeatable !== true) return option;
  return option.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value]);
}
