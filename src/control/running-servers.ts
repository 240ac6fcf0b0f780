/**
 * Finds the running servers of this user: by the entries in the folders for control sockets and, where there is /proc, by
 * the processes themselves, whose environment says where their sockets are. Nothing that another user could have put
 * there is trusted: entry, socket and process must belong to this user.
 */
import { lstatSync, readlinkSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { processTitle } from "../config/process-title.ts";
import { type OwnProcess, ownProcesses } from "../system/own-processes.ts";
import { exists } from "../system/process-state.ts";
import type { StatusReport } from "./api.ts";
import { requestControl } from "./control-client.ts";
import { isAlive, removeDead } from "./socket-name.ts";
import {
  controlFolder,
  controlFolders,
  entryName,
  isSafeFolder,
  listEntries,
  type SocketEntry,
  userFolder,
} from "./socket-path.ts";

export interface RunningServer {
  readonly pid: number;
  readonly name: string | undefined;
  readonly folder: string | undefined;
  /** Undefined if it has none, or none that can be found. */
  readonly controlSocket: string | undefined;
  /** Undefined if it does not answer. */
  readonly status: StatusReport | undefined;
}

export interface AnsweringServer extends RunningServer {
  readonly controlSocket: string;
  readonly status: StatusReport;
}

/** A server answers at once unless it is stopped or starved. */
const ANSWER_TIMEOUT_MS = 2000;

/** The beginning of the title of every arbiter. */
const [TITLE = ""] = processTitle("arbiter", { name: "", app: undefined }).split("[");

/** Lists the servers of this user, by pid. Removes the entries of killed servers. */
export async function runningServers(environment: NodeJS.ProcessEnv = process.env): Promise<RunningServer[]> {
  const processes = ownProcesses(TITLE);
  const entries = distinct([
    ...controlFolders(environment).filter(isSafeFolder).flatMap(listEntries),
    ...processes.flatMap(entriesOf),
  ]);
  const found = await Promise.all(entries.map((entry) => ask(entry, processes)));
  const servers = new Map<number, RunningServer>();
  for (const server of found)
    if (server !== undefined && servers.get(server.pid)?.status === undefined)
      servers.set(server.pid, server);
  for (const process of processes)
    if (!servers.has(process.pid)) servers.set(process.pid, silent(process.pid, undefined, processes));
  return [...servers.values()].sort((a, b) => a.pid - b.pid);
}

/** Whether it answers on its control socket. */
export function answers(server: RunningServer): server is AnsweringServer {
  return server.status !== undefined;
}

/** Where a process has its socket or its link. With a mount namespace of its own, only its own root leads there. */
function entriesOf({ pid, environment }: OwnProcess): SocketEntry[] {
  const folders = new Set([controlFolder(environment), userFolder(environment)]);
  return [...folders].flatMap((folder) => {
    const path = join(folder, entryName(pid));
    const there = [path, `/proc/${pid}/root${path}`].find((each) => lstatOf(each) !== undefined);
    return there !== undefined && isSafeFolder(dirname(there)) ? [{ path: there, pid }] : [];
  });
}

function lstatOf(path: string): ReturnType<typeof lstatSync> {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function distinct(entries: readonly SocketEntry[]): SocketEntry[] {
  return [...new Map(entries.map((entry) => [entry.path, entry])).values()];
}

/** Returns undefined if the entry is stale or another user's. */
async function ask(entry: SocketEntry, processes: readonly OwnProcess[]): Promise<RunningServer | undefined> {
  const { path, pid } = entry;
  if (lstatOf(path)?.uid !== process.geteuid?.()) return undefined;
  const socket = socketOf(path);
  if (!(await isAlive(socket))) {
    removeDead(path, pid);
    return undefined;
  }
  if (statSync(socket, { throwIfNoEntry: false })?.uid !== process.geteuid?.()) return undefined;
  const status = await statusAt(socket);
  if (status === undefined) return exists(pid) ? silent(pid, socket, processes) : undefined;
  // Another server has the place of the one that made the link.
  if (socket !== path && status.pid !== pid && !exists(pid)) rmSync(path, { force: true });
  const server = answering(socket, status);
  // A server before this version does not report its folder.
  return { ...server, folder: server.folder ?? find(server.pid, processes)?.folder };
}

/** The socket that an entry leads to. */
function socketOf(path: string): string {
  return lstatOf(path)?.isSymbolicLink() === true ? readlinkSync(path) : path;
}

async function statusAt(socket: string): Promise<StatusReport | undefined> {
  try {
    const { status, body } = await requestControl(socket, "GET", "/status", undefined, ANSWER_TIMEOUT_MS);
    return status === 200 ? (body as StatusReport) : undefined;
  } catch {
    return undefined;
  }
}

/** The server that answered at `controlSocket`. */
export function answering(controlSocket: string, status: StatusReport): AnsweringServer {
  const { pid, name, folder } = status;
  return { pid, name, folder, controlSocket, status };
}

/** A server that does not answer: its title says its name. */
function silent(
  pid: number,
  controlSocket: string | undefined,
  processes: readonly OwnProcess[],
): RunningServer {
  const own = find(pid, processes);
  const name = /\[(.*?)\]?$/.exec(own?.title ?? "")?.[1];
  return { pid, name, folder: own?.folder, controlSocket, status: undefined };
}

function find(pid: number, processes: readonly OwnProcess[]): OwnProcess | undefined {
  return processes.find((process) => process.pid === pid);
}
