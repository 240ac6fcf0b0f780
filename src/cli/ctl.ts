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
  const rows = workers.map((worker) => [
    String(worker.pid),
    String(worker.slot),
    String(worker.generation),
    worker.state,
    formatAge(worker.age),
    String(worker.connections),
    String(worker.requests),
  ]);
  const table = [["PID", "SLOT", "GENERATION", "STATE", "AGE", "CONNECTIONS", "REQUESTS"], ...rows];
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

/** Prints an outcome, and sets the exit code to failure if it is not ok. */
function printOutcome(command: Command, outcome: Outcome): void {
  if (command.optsWithGlobals<ControlOptions>().json === true)
    console.log(JSON.stringify(outcome, undefined, 2));
  else if (outcome.ok) console.log(outcome.message);
  else console.error(outcome.detail === undefined ? outcome.error : `${outcome.error}\n${outcome.detail}`);
  if (!outcome.ok) process.exitCode = ExitCode.failure;
}

function printReport<T>(command: Command, report: unknown, format: (report: T) => string): void {
  const json = command.optsWithGlobals<ControlOptions>().json === true;
  console.log(json ? JSON.stringify(report, undefined, 2) : format(report as T));
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
  const simple: [name: string, description: string][] = [
    ["reload", "load the app anew in new workers and replace the old ones; waits for the outcome"],
    [
      "upgrade",
      "replace the whole server with the installed versions of tsgun and node; waits for the outcome",
    ],
    ["reopen", "reopen the log files"],
  ];
  ctl
    .command("status")
    .description("show the state of the server")
    .action(async (_options, command: Command) =>
      printReport(command, await send(command, "GET", "/status"), formatStatus),
    );
  ctl
    .command("workers")
    .description("show the state of each worker")
    .action(async (_options, command: Command) =>
      printReport(command, await send(command, "GET", "/workers"), formatWorkers),
    );
  for (const [name, description] of simple) {
    ctl
      .command(name)
      .description(description)
      .action(async (_options, command: Command) =>
        printOutcome(command, (await send(command, "POST", `/${name}`)) as Outcome),
      );
  }
  ctl
    .command("scale")
    .description("set the number of workers; waits until they are ready")
    .argument("<workers>", "the number of workers", wholeNumber)
    .action(async (workers: number, _options, command: Command) =>
      printOutcome(command, (await send(command, "POST", "/scale", { workers })) as Outcome),
    );
  ctl
    .command("restart")
    .description("replace one worker; the new one is ready before the old one stops")
    .argument("<pid>", "the worker's process id", wholeNumber)
    .action(async (pid: number, _options, command: Command) =>
      printOutcome(command, (await send(command, "POST", `/workers/${pid}/restart`)) as Outcome),
    );
  ctl
    .command("stop")
    .description("stop the server after the requests in flight")
    .option("--quick", "stop at once, without finishing the requests in flight")
    .action(async (options: { quick?: boolean }, command: Command) =>
      printOutcome(
        command,
        (await send(command, "POST", "/stop", {
          mode: options.quick === true ? "quick" : "graceful",
        })) as Outcome,
      ),
    );
  return ctl;
}
