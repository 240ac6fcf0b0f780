/** `tsgun top`: shows a running server live, or once, or as JSON. */
import type { ReadStream, WriteStream } from "node:tty";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { duration } from "../config/number-kind.ts";
import { type AnsweringServer, answers, runningServers } from "../control/running-servers.ts";
import { ExitCode, FatalError } from "../errors.ts";
import { currentFolder } from "../system/working-folder.ts";
import { wholeNumber } from "./ctl/verb.ts";
import { usageError } from "./explained-words.ts";
import { chooseServer, isServerNamed, type ServerOptions } from "./server-choice.ts";

interface TopOptions extends ServerOptions {
  readonly once?: boolean;
  readonly json?: boolean;
  readonly interval: number;
}

/** Milliseconds; the server samples once a second, but a burst of requests in flight may be watched more closely. */
const LEAST_INTERVAL = 100;
const DEFAULT_INTERVAL = 1000;

/** Wide enough for every column, where no terminal says how wide it is. */
const DEFAULT_WIDTH = 150;

/** Runs `tsgun top` with its arguments. @throws FatalError with one line */
export async function runTop(args: readonly string[]): Promise<ExitCode> {
  const program = topCommand();
  try {
    program.parse(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return ExitCode.ok;
    throw usageError(error, "tsgun top --help");
  }
  const options = program.opts<TopOptions>();
  if (options.once === true || options.json === true) return await print(options);
  return await show(options);
}

export function topCommand(): Command {
  return new Command("tsgun top")
    .description("Shows a running server live: requests, latency, workers. ? shows the keys.")
    .option("-c, --config <FILE>", "The server with this configuration file.")
    .option("--name <NAME>", "The server with this name.")
    .option("--pid <PID>", "The server with this process id.", wholeNumber)
    .option("--control-socket <PATH>", "The server with this control socket.")
    .option(
      "--interval <SECONDS>",
      "Time between two refreshes (default: 1s).",
      milliseconds,
      DEFAULT_INTERVAL,
    )
    .option("--once", "Print one frame as text.")
    .option("--json", "Print a report as a line of JSON every interval; one with --once.")
    .helpOption("-h, --help", "Print this help.")
    .configureHelp({ optionDescription: ({ description }) => description })
    .addHelpText("after", "\nDefault: the only server of this user; with several, a list to choose from.")
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
}

function milliseconds(text: string): number {
  try {
    return duration(LEAST_INTERVAL).parse(text);
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}

type ShownServer = Pick<AnsweringServer, "pid" | "controlSocket"> & {
  readonly name: string;
  readonly folder: string;
};

/** The server to show; undefined if all are listed. */
async function choose(options: ServerOptions): Promise<ShownServer | undefined> {
  const running = isServerNamed(options) ? [] : await runningServers();
  const [only] = running;
  if (only !== undefined && (running.length > 1 || !answers(only))) return undefined;
  // Without any it knows where else to look, and why there is none.
  const { pid, name = "", folder = "", controlSocket } = only ?? (await chooseServer(options));
  return { pid, name, folder, controlSocket };
}

async function print(options: TopOptions): Promise<ExitCode> {
  const { printJsonForever, printJsonOnce, printOnce } = await import("./top/print.ts");
  // The reader has seen enough: `tsgun top --json | head -1`.
  process.stdout.on("error", () => process.exit(ExitCode.ok));
  const server = await choose(options);
  const width = process.stdout.columns || Number(process.env.COLUMNS) || DEFAULT_WIDTH;
  const given = { server, width, environment: process.env };
  if (options.json !== true) return await printOnce(given);
  return options.once === true ? await printJsonOnce(given) : await printJsonForever(given, options.interval);
}

/** @throws FatalError without a terminal that can be drawn on */
async function show(options: TopOptions): Promise<ExitCode> {
  const { stdin, stdout } = process;
  if (!stdin.isTTY || !stdout.isTTY || process.env.TERM === "dumb") {
    const why = process.env.TERM === "dumb" ? "this one (TERM=dumb) has no cursor" : "this is none";
    throw new FatalError(`top needs a terminal, and ${why}: use tsgun top --once, or --json`, ExitCode.usage);
  }
  const server = await choose(options);
  const here = currentFolder();
  const selected = server ?? (await runningServers()).find(({ folder }) => folder === here);
  const { runSession } = await import("./top/session.ts");
  return await runSession({
    input: stdin as ReadStream,
    output: stdout as WriteStream,
    environment: process.env,
    interval: options.interval,
    server,
    selected: selected?.pid,
    isSocketNamed: options.controlSocket !== undefined,
  });
}
