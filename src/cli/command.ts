/** Entry point of `tsgun`: dispatches on the first word and turns errors into an exit code. */
import { resolve } from "node:path";
import { BootReport, checkConfig, runArbiter, startDaemon } from "../arbiter/index.ts";
import type { Configuration } from "../config/config.ts";
import { ExitCode, FatalError } from "../errors.ts";
import { parseCommandLine, wordsInEnvironment } from "./command-line.ts";
import { ConfigurationReader, requireApp, type TracedConfiguration } from "./configuration.ts";
import { asDevelopment, developmentLayer, enterDevelopment } from "./development.ts";

/**
 * Runs the command and returns the exit code. Prints a FatalError as one line on stderr, after its detail if any.
 * @param args the words after `tsgun`
 */
export async function runCommand(args: readonly string[]): Promise<ExitCode> {
  // The process that started this one may wait for a report: the --daemon command, or an older arbiter.
  const report = BootReport.fromEnvironment();
  try {
    return await dispatch(args[0] === "help" ? await helpArguments(args.slice(1)) : args, report);
  } catch (error) {
    const { message, exitCode = ExitCode.failure } = error as Partial<FatalError>;
    report?.failed(message ?? String(error), exitCode);
    if (!(error instanceof FatalError)) throw error;
    if (error.detail !== undefined) process.stderr.write(`${error.detail}\n`);
    process.stderr.write(`tsgun: ${error.message}\n`);
    return error.exitCode;
  }
}

async function dispatch(args: readonly string[], report: BootReport | undefined): Promise<ExitCode> {
  const [name, ...below] = args;
  // `tsgun doctor help` is `tsgun doctor --help`. commander does that for `ctl`; under `dev` it may name an app.
  const rest = below.length === 1 && below[0] === "help" && name !== "ctl" ? ["--help"] : below;
  if (name === "ctl") return await runControl(rest);
  if (name === "ps") return await (await import("./ps.ts")).runPs(rest);
  if (name === "top") return await (await import("./top.ts")).runTop(rest);
  if (name === "why") return await (await import("./why.ts")).runWhy(rest);
  if (name === "completion") return await printCompletion(rest);
  if (name === "init") return await (await import("./init.ts")).runInit(rest);
  if (name === "doctor") return await (await import("./doctor.ts")).runDoctor(rest);
  return await serve(args, report);
}

/** `tsgun help ctl scale` is `tsgun ctl scale --help`. */
async function helpArguments([name, ...below]: readonly string[]): Promise<string[]> {
  if (name === undefined || name === "help") return ["--help"];
  const { COMMAND_NAMES, CONTROL_NAMES } = await import("./mistaken-command.ts");
  if ((COMMAND_NAMES as readonly string[]).includes(name)) return [name, ...below, "--help"];
  if ((CONTROL_NAMES as readonly string[]).includes(name)) return ["ctl", name, "--help"];
  const { nearestName } = await import("../config/nearest-name.ts");
  const nearest = nearestName(name, COMMAND_NAMES);
  const hint = nearest === undefined ? "" : `; did you mean tsgun help ${nearest}?`;
  throw new FatalError(`there is no command ${name}${hint} (see tsgun --help)`, ExitCode.usage);
}

/** `tsgun APP` and `tsgun dev APP`. */
async function serve(args: readonly string[], report: BootReport | undefined): Promise<ExitCode> {
  const isDevelopment = args[0] === "dev";
  const given = await (isDevelopment
    ? parseCommandLine(args.slice(1), asDevelopment)
    : parseCommandLine(args));
  if (given === undefined) return ExitCode.ok;
  const assumed = isDevelopment ? enterDevelopment(process.env) : [];
  const defaults = isDevelopment ? [developmentLayer] : [];
  const reader = new ConfigurationReader(
    [...(await wordsInEnvironment(process.env)), given],
    defaults,
    assumed,
  );
  const configuration = await reader.readWithVariables();
  await rejectMistakenApp(configuration.config);
  if (configuration.config.printConfig || configuration.config.checkConfig)
    return await inspect(configuration);
  await requireApp(configuration);
  if (configuration.config.daemon && report === undefined) return await startInBackground(args);
  const readConfiguration = async (): Promise<Configuration> =>
    await requireApp(await reader.readWithVariables());
  return await runArbiter({
    configuration,
    readConfiguration,
    bootReport: report,
    stopsOnHangUp: isDevelopment,
  });
}

/** Rejects an app that looks like a mistaken command. @throws FatalError (usage) */
async function rejectMistakenApp({ app, chdir }: TracedConfiguration["config"]): Promise<void> {
  // Most apps are named by a file, or in parts.
  if (app === undefined || !/^[a-zA-Z]+$/.test(app)) return;
  const { mistakenCommand } = await import("./mistaken-command.ts");
  const message = mistakenCommand(app, [], resolve(chdir ?? "."));
  if (message !== undefined) throw new FatalError(`${message} (see tsgun --help)`, ExitCode.usage);
}

/** `--print-config` and `--check-config`. */
async function inspect(configuration: TracedConfiguration): Promise<ExitCode> {
  const { config } = configuration;
  if (config.printConfig) {
    const { formatConfig } = await import("./print-config.ts");
    process.stdout.write(formatConfig(configuration));
  }
  if (!config.checkConfig) return ExitCode.ok;
  await requireApp(configuration);
  process.stdout.write(`${await checkConfig(config)}\n`);
  return ExitCode.ok;
}

/** `tsgun completion SHELL`: prints the script for the shell to load. */
async function printCompletion(args: readonly string[]): Promise<ExitCode> {
  const { completionScript, SHELLS } = await import("./completion.ts");
  const usage = `run tsgun completion ${SHELLS.join("|")}`;
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(`Prints a completion script for the shell: ${usage}\n`);
    return ExitCode.ok;
  }
  const shell = SHELLS.find((name) => name === args[0]);
  if (shell === undefined || args.length > 1) throw new FatalError(usage, ExitCode.usage);
  process.stdout.write(completionScript(shell));
  return ExitCode.ok;
}

/** `--daemon`: starts the server in the background, and waits until it serves or prints why it does not. */
async function startInBackground(args: readonly string[]): Promise<ExitCode> {
  const { countActivatedSockets } = await import("../systemd/activation.ts");
  const { exitCode, message } = await startDaemon({ args, inherited: countActivatedSockets() });
  if (message !== undefined) process.stderr.write(`tsgun: ${message}\n`);
  return exitCode as ExitCode;
}

/** `tsgun ctl …`. Its modules load only here, to keep the start of a server fast. */
async function runControl(args: readonly string[]): Promise<ExitCode> {
  const { controlCommand } = await import("./ctl/ctl.ts");
  const { CommanderError } = await import("commander");
  const command = controlCommand();
  try {
    await command.parseAsync(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "commander.help" && error.exitCode !== 0) {
      // Without a subcommand, commander prints the help on stderr and exits with 1.
      process.stderr.write(command.helpInformation());
      return ExitCode.failure;
    }
    const { usageError } = await import("./explained-words.ts");
    if (error.exitCode !== 0) throw usageError(error, "tsgun ctl --help");
  }
  return (process.exitCode as ExitCode | undefined) ?? ExitCode.ok;
}
