/** `tsgun ctl`: sends a command to a running server over its control socket and prints the result. */
import { Command, InvalidArgumentError } from "commander";
import type { Outcome, StatusReport, WorkerReport } from "../control/api.ts";
import { findControlSocket, requestControl } from "../control/control-client.ts";
import { ExitCode, FatalError } from "../errors.ts";

interface ControlOptions {
  readonly controlSocket?: string;
  readonly json?: boolean;
}

/** Formats milliseconds: `4s`, `12m`, `3h 5m`, `2d 4h`. */
function formatAge(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours}h ${minutes % 60}m`;
  return `${Math.floor(hours / 24)}d ${hours % 24}h`;
}

function formatStatus(status: StatusReport): string {
  const { workers } = status;
  return [
    `${status.name} (tsgun ${status.version}, pid ${status.pid}) is ${status.state === "down" ? "down: no worker is ready" : status.state}`,
    `app        ${status.app}`,
    `listening  ${status.listening.join(", ")}`,
    `workers    ${workers.ready} of ${workers.target} ready, generation ${status.generation}`,
    `up         ${formatAge(status.uptime)}`,
  ].join("\n");
}

function formatWorkers(workers: readonly WorkerReport[]): string {
  const haveAddresses = workers.some(({ address }) => address !== null);
  const rows = workers.map((worker) => [
    String(worker.pid),
    String(worker.slot),
    String(worker.generation),
    worker.state,
    formatAge(worker.age),
    String(worker.connections),
    String(worker.requests),
    ...(haveAddresses ? [worker.address ?? ""] : []),
  ]);
  const header = ["PID", "SLOT", "GENERATION", "STATE", "AGE", "CONNECTIONS", "REQUESTS"];
  const table = [haveAddresses ? [...header, "ADDRESS"] : header, ...rows];
  const widths = (table[0] as string[]).map((_, column) =>
    Math.max(...table.map((row) => (row[column] as string).length)),
  );
  return table
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] as number))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("expected a whole number.");
  return Number(text);
}

/** Sends a request. Returns a report, or an outcome: a command that failed is a 409. */
async function send(
  command: Command,
  method: "GET" | "POST",
  path: string,
  body?: unknown,
): Promise<unknown> {
  const { controlSocket } = command.optsWithGlobals<ControlOptions>();
  const socket = controlSocket ?? (await findControlSocket());
  const reply = await requestControl(socket, method, path, body);
  if (reply.status !== 200 && reply.status !== 409) {
    throw new FatalError((reply.body as { error: string }).error, ExitCode.failure);
  }
  return reply.body;
}

/** Requests a report and prints it. */
async function query<T>(command: Command, path: string, format: (report: T) => string): Promise<void> {
  const report = await send(command, "GET", path);
  console.log(isJson(command) ? JSON.stringify(report, undefined, 2) : format(report as T));
}

/** Sends a command to the server and prints its outcome. Sets the exit code to failure if it is not ok. */
async function execute(command: Command, path: string, body?: unknown): Promise<void> {
  const outcome = (await send(command, "POST", path, body)) as Outcome;
  if (isJson(command)) console.log(JSON.stringify(outcome, undefined, 2));
  else if (outcome.ok) console.log(outcome.message);
  else console.error(outcome.detail === undefined ? outcome.error : `${outcome.error}\n${outcome.detail}`);
  if (!outcome.ok) process.exitCode = ExitCode.failure;
}

function isJson(command: Command): boolean {
  return command.optsWithGlobals<ControlOptions>().json === true;
}

/** Builds the command `ctl` with its subcommands. */
export function controlCommand(): Command {
  const ctl = new Command("tsgun ctl")
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .description("control a running server: show its state, reload, scale, upgrade or stop it")
    .option(
      "--control-socket <path>",
      "the server's control socket (default: that of the only running server)",
    )
    .option("--json", "print the result as JSON");
  addReports(ctl);
  addCommands(ctl);
  addScaling(ctl);
  return ctl;
}

function addReports(ctl: Command): void {
  ctl
    .command("status")
    .description("show the state of the server")
    .action((_options, command: Command) => query(command, "/status", formatStatus));
  ctl
    .command("workers")
    .description("show the state of each worker")
    .action((_options, command: Command) => query(command, "/workers", formatWorkers));
}

/** The commands without arguments. */
function addCommands(ctl: Command): void {
  const descriptions = {
    reload: "load the app anew in new workers and replace the old ones; waits for the outcome",
    upgrade: "replace the whole server with the installed versions of tsgun and node; waits for the outcome",
    reopen: "reopen the log files",
  };
  for (const [name, description] of Object.entries(descriptions)) {
    ctl
      .command(name)
      .description(description)
      .action((_options, command: Command) => execute(command, `/${name}`));
  }
}

/** The commands that change the number of workers, one worker, or stop all. */
function addScaling(ctl: Command): void {
  ctl
    .command("scale")
    .description("set the number of workers; waits until they are ready")
    .argument("<workers>", "the number of workers", wholeNumber)
    .action((workers: number, _options, command: Command) => execute(command, "/scale", { workers }));
  ctl
    .command("restart")
    .description("replace one worker; the new one is ready before the old one stops")
    .argument("<pid>", "the worker's process id", wholeNumber)
    .action((pid: number, _options, command: Command) => execute(command, `/workers/${pid}/restart`));
  ctl
    .command("stop")
    .description("stop the server after the requests in flight")
    .option("--quick", "stop at once, without finishing the requests in flight")
    .action(({ quick = false }: { quick?: boolean }, command: Command) =>
      execute(command, "/stop", { mode: quick ? "quick" : "graceful" }),
    );
}
