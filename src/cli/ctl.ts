/** `tsgun ctl`: sends a command to a running server over its control socket and prints the result. */
import { Command, InvalidArgumentError } from "commander";
import type { Outcome, StatusReport, WorkerReport } from "../control/api.ts";
import { requestControl } from "../control/control-client.ts";
import type { AnsweringServer } from "../control/running-servers.ts";
import { ExitCode, FatalError } from "../errors.ts";
import { chooseServer, describeServer, type ServerOptions } from "./server-choice.ts";
import { formatAge, formatTable } from "./table.ts";

interface ControlOptions extends ServerOptions {
  readonly json?: boolean;
}

function formatStatus(status: StatusReport): string {
  const { workers } = status;
  // A server of an earlier version does not say.
  const isUnready = status.ready === false && status.state !== "booting" && status.state !== "stopping";
  return [
    `${status.name} (tsgun ${status.version}, pid ${status.pid}) is ${status.state === "down" ? "down: no worker is ready" : status.state}`,
    `app        ${status.app}`,
    // A server before this version does not report it.
    ...(status.folder === undefined ? [] : [`folder     ${status.folder}`]),
    `listening  ${status.listening.join(", ")}`,
    `workers    ${workers.ready} of ${workers.target} ready, generation ${status.generation}`,
    ...(isUnready ? [`not ready  ${status.reason}`] : []),
    `up         ${formatAge(status.uptime)}`,
  ].join("\n");
}

function formatWorkers(workers: readonly WorkerReport[]): string {
  const someAreNotReady = workers.some(({ notReady }) => notReady !== null);
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
    ...(someAreNotReady ? [worker.notReady ?? ""] : []),
  ]);
  const headings = ["PID", "SLOT", "GENERATION", "STATE", "AGE", "CONNECTIONS", "REQUESTS"];
  if (haveAddresses) headings.push("ADDRESS");
  if (someAreNotReady) headings.push("NOT READY");
  return formatTable(headings, rows);
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("expected a whole number.");
  return Number(text);
}

/** Sends a request. Returns a report, or an outcome: a command that failed is a 409. */
async function send(
  { controlSocket }: AnsweringServer,
  method: "GET" | "POST",
  path: string,
  body?: unknown,
): Promise<unknown> {
  const reply = await requestControl(controlSocket, method, path, body);
  if (reply.status !== 200 && reply.status !== 409) {
    throw new FatalError((reply.body as { error: string }).error, ExitCode.failure);
  }
  return reply.body;
}

/** Requests a report and prints it. */
async function query<T>(command: Command, path: string, format: (report: T) => string): Promise<void> {
  const report = await send(await choose(command), "GET", path);
  console.log(isJson(command) ? JSON.stringify(report, undefined, 2) : format(report as T));
}

function choose(command: Command): Promise<AnsweringServer> {
  return chooseServer(command.optsWithGlobals<ControlOptions>());
}

interface Action {
  /** The action, as the line before the outcome says it: `stopping`. */
  readonly doing: string;
  readonly path: string;
  readonly body?: unknown;
}

/**
 * Sends a command to the server and prints its outcome. Names the server first, on standard error, where scripts that
 * read the outcome do not see it. Sets the exit code to failure if the outcome is not ok.
 */
async function execute(command: Command, { doing, path, body }: Action): Promise<void> {
  const server = await choose(command);
  if (!isJson(command)) console.error(`${doing} ${describeServer(server)}`);
  const outcome = (await send(server, "POST", path, body)) as Outcome;
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
    .option("-c, --config <FILE>", "the server with this configuration file")
    .option("--name <NAME>", "the server with this name")
    .option("--pid <PID>", "the server with this process id", wholeNumber)
    .option("--control-socket <PATH>", "the server with this control socket")
    .option("--json", "print the result as JSON")
    .addHelpText("after", `\nDefault: the server that was started in this folder. tsgun ps lists all.`);
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
  const commands = [
    [
      "reload",
      "reloading",
      "load the app anew in new workers and replace the old ones; waits for the outcome",
    ],
    [
      "upgrade",
      "upgrading",
      "replace the whole server with the installed versions of tsgun and node; waits for the outcome",
    ],
    ["reopen", "reopening the logs of", "reopen the log files"],
  ] as const;
  for (const [name, doing, description] of commands) {
    ctl
      .command(name)
      .description(description)
      .action((_options, command: Command) => execute(command, { doing, path: `/${name}` }));
  }
}

/** The commands that change the number of workers, one worker, or stop all. */
function addScaling(ctl: Command): void {
  ctl
    .command("scale")
    .description("set the number of workers; waits until they are ready")
    .argument("<workers>", "the number of workers", wholeNumber)
    .action((workers: number, _options, command: Command) =>
      execute(command, { doing: "scaling", path: "/scale", body: { workers } }),
    );
  ctl
    .command("restart")
    .description("replace one worker; the new one is ready before the old one stops")
    .argument("<pid>", "the worker's process id", wholeNumber)
    .action((pid: number, _options, command: Command) =>
      execute(command, { doing: `restarting worker ${pid} of`, path: `/workers/${pid}/restart` }),
    );
  ctl
    .command("stop")
    .description("stop the server after the requests in flight")
    .option("--quick", "stop at once, without finishing the requests in flight")
    .action(({ quick = false }: { quick?: boolean }, command: Command) =>
      execute(command, { doing: "stopping", path: "/stop", body: { mode: quick ? "quick" : "graceful" } }),
    );
}
