/** The server that runs, for `tsgun doctor`: asked through its control socket, and seen in /proc. */
import { readFileSync, readlinkSync, realpathSync } from "node:fs";
import type { Config } from "../config/settings.ts";
import type { StatusReport, WorkerReport } from "../control/api.ts";
import { askControl } from "../control/control-client.ts";
import { isAlive } from "../control/socket-name.ts";
import { defaultControlSocket, listControlSockets } from "../control/socket-path.ts";
import type { RunningServer } from "../deploy/doctor/facts.ts";
import { ExitCode, FatalError } from "../errors.ts";

export interface ServerWishes {
  readonly pid?: string;
  readonly controlSocket?: string;
}

/**
 * The server that is named, else the one of this app that runs in this folder; undefined where none does, or several.
 * @throws FatalError when one is named and does not answer.
 */
export async function findServer(
  config: Config,
  folder: string,
  wishes: ServerWishes,
): Promise<RunningServer | undefined> {
  const { pid, controlSocket } = wishes;
  if (pid !== undefined && !/^[1-9]\d*$/.test(pid))
    throw new FatalError(`--pid: ${pid} is no process id`, ExitCode.usage);
  const named = controlSocket ?? (pid === undefined ? undefined : defaultControlSocket(Number(pid)));
  if (named !== undefined) return await askServer(named);
  const own = typeof config.controlSocket === "string" ? [config.controlSocket] : [];
  const found: RunningServer[] = [];
  for (const socket of [...own, ...listControlSockets()]) {
    if (!(await isAlive(socket))) continue;
    // One that ends just now is none.
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
  const status = (await askControl(socket, "GET", "/status")).body as StatusReport;
  const workers = (await askControl(socket, "GET", "/workers")).body as readonly WorkerReport[];
  return {
    status,
    workers: workers.map(({ pid }) => ({ pid, openFiles: openFilesLimit(pid) })),
    ...startedWith(status.pid),
  };
}

/** The soft limit, which Node has raised to the hard one. */
function openFilesLimit(pid: number): number | undefined {
  const limit = /^Max open files\s+(\d+)/m.exec(procFile(pid, "limits") ?? "")?.[1];
  return limit === undefined ? undefined : Number(limit);
}

/** What it was started with; the variables of systemd it has taken out of its environment since. */
function startedWith(pid: number): Pick<RunningServer, "activated" | "environment"> {
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
