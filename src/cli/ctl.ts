/** `tsgun ctl`: sends a command to a running server over its control socket and prints the result. */
import { Command, InvalidArgumentError } from "commander";
import type { Outcome, StatusReport, WorkerReport } from "../control/api.ts";
import { askControl, findControlSocket } from "../control/control-client.ts";
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
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("a whole number is wanted.");
  return Number(text);
}

async function ask(command: Command, method: "GET" | "POST", path: string, body?: unknown): Promise<unknown> {
  const { controlSocket } = command.optsWithGlobals<ControlOptions>();
  const socket = controlSocket ?? (await findControlSocket());
  const reply = await askControl(socket, method, path, body);
  if (reply.status !== 200 && reply.status !== 409) {
    throw new FatalError((reply.body as { error: string }).error, ExitCode.failure);
  }
  return reply.body;
}

/** Prints an outcome and sets the exit code to failure if it is not ok. */
function report(command: Command, outcome: Outcome): void {
  if (command.optsWithGlobals<ControlOptions>().json === true)
    console.log(JSON.stringify(outcome, undefined, 2));
  else if (outcome.ok) console.log(outcome.message);
  else console.error(outcome.detail === undefined ? outcome.error : `${outcome.error}\n${outcome.detail}`);
  if (!outcome.ok) process.exitCode = ExitCode.failure;
}

function show<T>(command: Command, answer: unknown, format: (answer: T) => string): void {
  const json = command.optsWithGlobals<ControlOptions>().json === true;
  console.log(json ? JSON.stringify(answer, undefined, 2) : format(answer as T));
}

/** Builds the command `ctl` with its subcommands. */
export function controlCommand(): Command {
  const ctl = new Command("tsgun ctl")
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .description("ask a running server: how it is, or to reload, scale, upgrade or stop")
    .option(
      "--control-socket <path>",
      "the server's control socket (default: that of the one server that runs)",
    )
    .option("--json", "print the answer as JSON");
  const simple: [name: string, description: string][] = [
    ["reload", "replace the workers by ones with the app as it is now; waits for the outcome"],
    [
      "upgrade",
      "replace the whole server by the tsgun and node that are installed now; waits for the outcome",
    ],
    ["reopen", "reopen the log files"],
  ];
  ctl
    .command("status")
    .description("how the server is")
    .action(async (_options, command: Command) =>
      show(command, await ask(command, "GET", "/status"), formatStatus),
    );
  ctl
    .command("workers")
    .description("how each worker is")
    .action(async (_options, command: Command) =>
      show(command, await ask(command, "GET", "/workers"), formatWorkers),
    );
  for (const [name, description] of simple) {
    ctl
      .command(name)
      .description(description)
      .action(async (_options, command: Command) =>
        report(command, (await ask(command, "POST", `/${name}`)) as Outcome),
      );
  }
  ctl
    .command("scale")
    .description("serve with this many workers")
    .argument("<workers>", "how many", wholeNumber)
    .action(async (workers: number, _options, command: Command) =>
      report(command, (await ask(command, "POST", "/scale", { workers })) as Outcome),
    );
  ctl
    .command("restart")
    .description("replace one worker by a new one; the new one is ready before the old one goes")
    .argument("<pid>", "its process id", wholeNumber)
    .action(async (pid: number, _options, command: Command) =>
      report(command, (await ask(command, "POST", `/workers/${pid}/restart`)) as Outcome),
    );
  ctl
    .command("stop")
    .description("stop the server, finishing what it has")
    .option("--quick", "do not finish what it has")
    .action(async (options: { quick?: boolean }, command: Command) =>
      report(
        command,
        (await ask(command, "POST", "/stop", {
          mode: options.quick === true ? "quick" : "graceful",
        })) as Outcome,
      ),
    );
  return ctl;
}
