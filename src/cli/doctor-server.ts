/** Facts about the running server for `tsgun doctor`, from its control socket and /proc. */
import { readFileSync, readlinkSync, realpathSync } from "node:fs";
import type { Config } from "../config/settings.ts";
import type { StatusReport, WorkerReport } from "../control/api.ts";
import { requestControl } from "../control/control-client.ts";
import { isAlive } from "../control/socket-name.ts";
import { defaultControlSocket, listControlSockets } from "../control/socket-path.ts";
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
  const named = controlSocket ?? (pid === undefined ? undefined : defaultControlSocket(Number(pid)));
  if (named !== undefined) return await askServer(named);
  const own = typeof config.controlSocket === "string" ? [config.controlSocket] : [];
  const found: RunningServer[] = [];
  for (const socket of [...own, ...listControlSockets()]) {
    if (!(await isAlive(socket))) continue;
    // Skip a server that exits meanwhile.
    const server = await askServer(socket).catch(() => undefined);
    if (server !== undefined && (own.includes(socket) || isHere(server.status, config, folder)))
      found.push(server);
  }
  return found.length === 1 ? found[0] : undefined;
}

function isHere({ app, pid }: StatusReport, config: Config, folder: string): boolean {
  try {
    return app === config.app && readlinkSync(`/proc/${pid}/cwd`) === realpathSync(folder);
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
