/** Facts about the running server for `tsgun doctor`, from its control socket and /proc. */
import { readFileSync, realpathSync } from "node:fs";
import type { Config } from "../config/settings.ts";
import type { StatusReport, WorkerReport } from "../control/api.ts";
import { requestControl } from "../control/control-client.ts";
import { answers, runningServers } from "../control/running-servers.ts";
import { isAlive } from "../control/socket-name.ts";
import type { RunningServer } from "../deploy/doctor/facts.ts";
import { ExitCode, FatalError } from "../errors.ts";
import { openFilesLimit } from "../server/descriptor-budget.ts";

export interface ServerOptions {
  readonly pid?: string;
  readonly controlSocket?: string;
}

/**
 * Returns the named server, else the one that runs this app in this folder. Returns undefined if there is none, or
 * more than one.
 * @throws FatalError when a named server does not answer.
 */
export async function findServer(
  config: Config,
  folder: string,
  options: ServerOptions,
): Promise<RunningServer | undefined> {
  const { pid, controlSocket } = options;
  if (pid !== undefined && !/^[1-9]\d*$/.test(pid))
    throw new FatalError(`--pid: ${pid} is not a process id`, ExitCode.usage);
  if (controlSocket !== undefined) return await askServer(controlSocket);
  const own = config.controlSocket;
  if (pid === undefined && typeof own === "string" && (await isAlive(own))) return await askServer(own);
  const running = (await runningServers()).filter(answers);
  const found = running.filter(({ status }) =>
    pid === undefined ? isHere(status, config, folder) : status.pid === Number(pid),
  );
  const [server] = found;
  if (pid !== undefined && server === undefined)
    throw new FatalError(`--pid: no server of this user with pid ${pid} answers`, ExitCode.usage);
  return server === undefined || found.length > 1 ? undefined : await askServer(server.controlSocket);
}

function isHere(status: StatusReport, config: Config, folder: string): boolean {
  try {
    return status.app === config.app && realpathSync(status.folder) === realpathSync(folder);
  } catch {
    return false;
  }
}

async function askServer(socket: string): Promise<RunningServer> {
  const status = (await requestControl(socket, "GET", "/status")).body as StatusReport;
  const workers = (await requestControl(socket, "GET", "/workers")).body as readonly WorkerReport[];
  return {
    status,
    workers: workers.map(({ pid }) => ({ pid, openFiles: openFilesLimit(pid) })),
    ...initialEnvironment(status.pid),
  };
}

/** Reads the initial environment from /proc. It still has systemd's variables, which the server has since unset. */
function initialEnvironment(pid: number): Pick<RunningServer, "activated" | "environment"> {
  const pairs = procFile(pid, "environ")?.split("\0").filter(Boolean);
  if (pairs === undefined) return { activated: undefined, environment: undefined };
  const environment = Object.fromEntries(
    pairs.map((pair) => [pair.replace(/=.*$/s, ""), pair.replace(/^[^=]*=?/s, "")]),
  );
  return { activated: environment.LISTEN_FDS !== undefined, environment };
}

function procFile(pid: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return undefined;
  }
}
