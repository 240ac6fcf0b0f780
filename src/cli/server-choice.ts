/** Which of the running servers a command acts on: never one that is neither named nor started here. */
import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { findConfigFile } from "../config/config-source.ts";
import type { StatusReport } from "../control/api.ts";
import { MAX_ATTEMPTS, RETRY_DELAY_MS, requestControl } from "../control/control-client.ts";
import {
  type AnsweringServer,
  answering,
  answers,
  type RunningServer,
  runningServers,
} from "../control/running-servers.ts";
import { checkFolder, userFolder } from "../control/socket-path.ts";
import { ExitCode, FatalError } from "../errors.ts";
import { currentFolder } from "../system/working-folder.ts";
import { wordsInEnvironment } from "./command-line.ts";
import { ConfigurationReader } from "./configuration.ts";

/** The options that name a server. */
export interface ServerOptions {
  readonly controlSocket?: string;
  readonly pid?: number;
  readonly name?: string;
  readonly config?: string;
}

/**
 * Returns the server that the options name, else the one that TSGUN_CONTROL_SOCKET names, else the one of this folder or
 * its configuration file.
 *
 * @throws FatalError that lists the running servers, if none matches or several do
 */
export async function chooseServer(options: ServerOptions): Promise<AnsweringServer> {
  const named = socketNamed(options);
  if (named !== undefined) return await serverAt(named);
  const here = currentFolder();
  const { matches, what } = matcher(options, here);
  for (let attempt = 1; ; attempt++) {
    const running = await runningServers();
    const found = controllable(running.filter(matches));
    const [server] = found;
    if (found.length > 1) throw severalMatch(what, found);
    if (server !== undefined && answers(server)) return server;
    // When a server starts, and during an upgrade or its rollback, its control socket may have no name yet.
    const mayAppear = running.length === 0 || (server !== undefined && server.controlSocket === undefined);
    if (attempt < MAX_ATTEMPTS && mayAppear) await pause(RETRY_DELAY_MS);
    else if (server !== undefined) throw unanswered(server);
    else return (isNamed(options) ? undefined : await serverOfFile(options, here)) ?? refuse(what, running);
  }
}

/** Whether the options, or TSGUN_CONTROL_SOCKET, name a server: no other one is meant. */
export function isServerNamed(options: ServerOptions): boolean {
  return isNamed(options) || options.config !== undefined || socketNamed(options) !== undefined;
}

function socketNamed(options: ServerOptions): string | undefined {
  const isChosen = isNamed(options) || options.config !== undefined;
  return options.controlSocket ?? (isChosen ? undefined : socketInEnvironment());
}

/** The server in messages: `shop (pid 123, /srv/shop)`. */
export function describeServer(server: RunningServer): string {
  const { pid, name, folder } = server;
  const places = [`pid ${pid}`, ...(folder === undefined ? [] : [folder])].join(", ");
  return name === undefined || name === "" ? places : `${name} (${places})`;
}

/**
 * Leaves out servers without a control socket if there are others: during an upgrade only one of the two arbiters has it.
 */
function controllable(servers: readonly RunningServer[]): readonly RunningServer[] {
  const found = servers.filter(({ controlSocket }) => controlSocket !== undefined);
  return found.length > 0 ? found : servers;
}

function isNamed({ pid, name }: ServerOptions): boolean {
  return pid !== undefined || name !== undefined;
}

function socketInEnvironment(): string | undefined {
  const socket = process.env.TSGUN_CONTROL_SOCKET ?? "";
  return socket === "" || socket === "none" ? undefined : socket;
}

async function serverAt(socket: string): Promise<AnsweringServer> {
  const { status, body } = await requestControl(socket, "GET", "/status");
  if (status === 200) return answering(socket, body as StatusReport);
  throw new FatalError(`${socket} is not the control socket of a tsgun server`, ExitCode.failure);
}

interface Matcher {
  matches(server: RunningServer): boolean;
  /** The server that is looked for, as the end of "no running server …". */
  readonly what: string;
}

function matcher({ pid, name, config }: ServerOptions, here: string): Matcher {
  if (pid !== undefined || name !== undefined) {
    const named = [
      ...(name === undefined ? [] : [`the name ${name}`]),
      ...(pid === undefined ? [] : [`the pid ${pid}`]),
    ];
    return {
      matches: (server) =>
        (pid === undefined || server.pid === pid) && (name === undefined || server.name === name),
      what: `has ${named.join(" and ")}`,
    };
  }
  if (config !== undefined) {
    const file = resolve(here, config.replace(/^file:(?:\/\/)?/, ""));
    return {
      matches: ({ status }) => isSamePath(status?.config, file),
      what: `uses the configuration file ${file}`,
    };
  }
  const file = findConfigFile(here);
  return {
    matches: ({ folder, status }) =>
      [folder, status?.startedIn].some((each) => isSamePath(each, here)) ||
      (file !== undefined && isSamePath(status?.config, file)),
    what: `was started in ${here}`,
  };
}

/** By name, or by what the names lead to now: the server keeps symbolic links unresolved. */
function isSamePath(one: string | null | undefined, other: string): boolean {
  if (typeof one !== "string") return false;
  return one === other || (realPath(one) ?? one) === (realPath(other) ?? other);
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** The server at the control socket that this folder's configuration names. */
async function serverOfFile({ config }: ServerOptions, here: string): Promise<AnsweringServer | undefined> {
  const given = config === undefined ? {} : { config };
  const layers = [...(await wordsInEnvironment(process.env)), { values: given, origin: () => "--config" }];
  // A file that cannot be read names no socket; the refusal that follows is what people need to know.
  const read = await new ConfigurationReader(layers).read().catch(() => undefined);
  const { controlSocket, chdir = "." } = read?.config ?? {};
  if (typeof controlSocket !== "string") return undefined;
  return await serverAt(resolve(here, chdir, controlSocket));
}

const HOW_TO_CHOOSE = "choose one with --name, --pid or --control-socket";

function severalMatch(what: string, found: readonly RunningServer[]): FatalError {
  const all = found.map(describeServer).join(", ");
  return new FatalError(`more than one server ${what}: ${all}; ${HOW_TO_CHOOSE}`, ExitCode.usage);
}

function unanswered(server: RunningServer): FatalError {
  if (server.controlSocket === undefined) checkFolder(userFolder());
  const why =
    server.controlSocket === undefined
      ? "has no control socket that can be found: name it with --control-socket, or send signals to its pid"
      : `does not answer at ${server.controlSocket}: it may be stopped (SIGSTOP) or starved of CPU`;
  return new FatalError(`${describeServer(server)} ${why}`, ExitCode.failure);
}

function refuse(what: string, running: readonly RunningServer[]): never {
  if (running.length > 0) {
    const all = running.map(describeServer).join(", ");
    throw new FatalError(`no running server ${what}; these run: ${all}; ${HOW_TO_CHOOSE}`, ExitCode.failure);
  }
  checkFolder(userFolder());
  throw new FatalError(
    "no server of this user is running; name another's socket with --control-socket",
    ExitCode.failure,
  );
}
