/** `tsgun ps`: lists the running servers of this user. */
import { Command, CommanderError } from "commander";
import { answers, type RunningServer, runningServers } from "../control/running-servers.ts";
import { ExitCode } from "../errors.ts";
import { usageError } from "./explained-words.ts";
import { askStats, type ServerUse, USE_HEADINGS, useCells, useOf } from "./server-use.ts";
import { formatAge, formatTable } from "./table.ts";

/** Runs `tsgun ps` with its arguments. @throws FatalError with one line */
export async function runPs(args: readonly string[]): Promise<ExitCode> {
  const program = psCommand();
  try {
    program.parse(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return ExitCode.ok;
    throw usageError(error, "tsgun ps --help");
  }
  const servers = await Promise.all((await runningServers()).map(withUse));
  if (program.opts<{ json?: boolean }>().json === true) console.log(formatJson(servers));
  else if (servers.length === 0) console.error("no server of this user is running");
  else console.log(formatServers(servers));
  return ExitCode.ok;
}

export function psCommand(): Command {
  return new Command("tsgun ps")
    .description("Lists the running servers of this user.")
    .option("--json", "Print the servers as JSON.")
    .helpOption("-h, --help", "Print this help.")
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
}

interface ListedServer {
  readonly server: RunningServer;
  /** Undefined if it does not say. */
  readonly use: ServerUse | undefined;
}

/** A server answers at once unless it is stopped or starved. */
const ANSWER_TIMEOUT_MS = 2000;

async function withUse(server: RunningServer): Promise<ListedServer> {
  const stats = answers(server) ? await askStats(server.controlSocket, ANSWER_TIMEOUT_MS) : undefined;
  return { server, use: stats && useOf(stats) };
}

/** Each server is its status report with its control socket; of one that does not answer only these members are known. */
function formatJson(servers: readonly ListedServer[]): string {
  const reports = servers.map(({ server, use = null }) => {
    const { pid, name = null, folder = null, controlSocket = null } = server;
    return answers(server)
      ? { ...server.status, controlSocket, use }
      : { pid, name, folder, controlSocket, state: "silent" };
  });
  return JSON.stringify(reports, undefined, 2);
}

const HEADINGS = [
  ...["PID", "NAME", "STATE", "GENERATION", "WORKERS", "AGE"],
  ...USE_HEADINGS,
  ...["APP", "FOLDER", "ADDRESSES"],
];

function formatServers(servers: readonly ListedServer[]): string {
  return formatTable(HEADINGS, servers.map(rowOf));
}

function rowOf({ server, use }: ListedServer): string[] {
  if (!answers(server)) {
    const state = server.controlSocket === undefined ? "no control socket" : "no answer";
    return [
      String(server.pid),
      server.name ?? "-",
      state,
      "-",
      "-",
      "-",
      ...useCells(use),
      "-",
      server.folder ?? "-",
      "-",
    ];
  }
  const { status } = server;
  return [
    String(status.pid),
    status.name,
    status.state,
    String(status.generation),
    `${status.workers.ready}/${status.workers.target}`,
    formatAge(status.uptime),
    ...useCells(use),
    status.app,
    server.folder ?? "-",
    status.listening.join(","),
  ];
}
