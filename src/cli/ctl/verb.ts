/** A command of `tsgun ctl`, and what all of them share: they choose a server, ask it, and print what it says. */
import { type Command, InvalidArgumentError } from "commander";
import type { Outcome } from "../../control/api.ts";
import { requestControl } from "../../control/control-client.ts";
import type { AnsweringServer } from "../../control/running-servers.ts";
import { ExitCode, FatalError } from "../../errors.ts";
import { chooseServer, describeServer, type ServerOptions } from "../server-choice.ts";

export interface Verb {
  readonly name: string;
  /** One line of the help. */
  readonly description: string;
  /** Adds its arguments and options. */
  readonly define?: (command: Command) => void;
  /** Its words are in `command.processedArgs` and `command.opts()`. */
  readonly run: (command: Command) => Promise<void>;
}

interface ControlOptions extends ServerOptions {
  readonly json?: boolean;
}

/** Parses a whole number of the command line. */
export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("expected a whole number.");
  return Number(text);
}

/** The server that the options of a command name. @throws FatalError that lists the running servers */
export function choose(command: Command): Promise<AnsweringServer> {
  return chooseServer(command.optsWithGlobals<ControlOptions>());
}

export function isJson(command: Command): boolean {
  return command.optsWithGlobals<ControlOptions>().json === true;
}

/**
 * Sends a request. Returns a report, or an outcome: a command that failed is a 409.
 * @throws FatalError with the server's reason on one line
 */
export async function send(
  server: AnsweringServer,
  method: "GET" | "POST",
  path: string,
  body?: unknown,
): Promise<unknown> {
  const reply = await requestControl(server.controlSocket, method, path, body);
  if (reply.status === 200 || reply.status === 409) return reply.body;
  throw refusal(server, reply.status, reply.body, path);
}

/** The error of a request that the server refused. A server of an earlier version lacks routes. */
export function refusal(server: AnsweringServer, status: number, body: unknown, path: string): FatalError {
  const [route = path] = path.split("?");
  const { error = `it answered ${status}` } = (body ?? {}) as { error?: string };
  const lacks = status === 404 && error === `unknown path ${route}`;
  const { version } = server.status;
  const message = lacks
    ? `${describeServer(server)} runs tsgun ${version}, which has no ${route}: upgrade it (tsgun ctl upgrade)`
    : error;
  return new FatalError(message, ExitCode.failure);
}

/** Requests a report and prints it. */
export async function query<T>(command: Command, path: string, format: (report: T) => string): Promise<void> {
  const report = await send(await choose(command), "GET", path);
  console.log(isJson(command) ? JSON.stringify(report, undefined, 2) : format(report as T));
}

export interface Action {
  /** The action, as the line before the outcome says it: `stopping`. */
  readonly doing: string;
  readonly path: string;
  readonly body?: unknown;
}

/**
 * Sends a command to the server and prints its outcome. Names the server first, on standard error, where scripts that
 * read the outcome do not see it. Sets the exit code to failure if the outcome is not ok.
 */
export async function execute(command: Command, { doing, path, body }: Action): Promise<void> {
  const server = await choose(command);
  if (!isJson(command)) console.error(`${doing} ${describeServer(server)}`);
  const outcome = (await send(server, "POST", path, body)) as Outcome;
  if (isJson(command)) console.log(JSON.stringify(outcome, undefined, 2));
  else if (outcome.ok) console.log(outcome.message);
  else console.error(outcome.detail === undefined ? outcome.error : `${outcome.error}\n${outcome.detail}`);
  if (!outcome.ok) process.exitCode = ExitCode.failure;
}
