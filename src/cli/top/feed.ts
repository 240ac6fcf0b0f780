/** The questions to the servers: each answer becomes an event. */
import type { StatusReport } from "../../control/api.ts";
import { requestControl } from "../../control/control-client.ts";
import {
  type AnsweringServer,
  answers,
  type RunningServer,
  runningServers,
} from "../../control/running-servers.ts";
import type { HistoryReport, StatsReport } from "../../control/stats.ts";
import { statsOf } from "../stats-report.ts";
import type { ListedServer, WatchedServer } from "./state.ts";

/** The arbiter answers within milliseconds, unless it is stopped or starved. */
const ANSWER_TIME = 2000;

/** More than the bars show. */
const MAX_POINTS = 60;

export type Answer = { readonly stats: StatsReport } | { readonly problem: string };

/** Asks for the figures. A problem is one line, and begins with `no answer` if there was none. */
export async function askStats(controlSocket: string): Promise<Answer> {
  try {
    const { status, body } = await requestControl(controlSocket, "GET", "/stats", undefined, ANSWER_TIME);
    const stats = status === 200 ? statsOf(body) : undefined;
    if (stats !== undefined) return { stats };
    return { problem: await explain(controlSocket, status, body) };
  } catch (error) {
    return { problem: silence(controlSocket, error as Error) };
  }
}

function silence(controlSocket: string, { message }: Error): string {
  if (/ECONNREFUSED|ENOENT/.test(message)) {
    return `no answer: no server listens at ${controlSocket}; looking for it`;
  }
  if (/no answer within/.test(message)) {
    return "no answer: the server may be stopped (SIGSTOP) or starved of CPU";
  }
  return `no answer: ${message}`;
}

/** Why a server answers without figures. */
async function explain(controlSocket: string, status: number, body: unknown): Promise<string> {
  if (status === 404) {
    const reply = await requestControl(controlSocket, "GET", "/status", undefined, ANSWER_TIME);
    const { version = "?" } = reply.body as Partial<StatusReport>;
    return `this server is tsgun ${version}, which has no figures (GET /stats): replace it with tsgun ctl upgrade`;
  }
  const { error } = (body ?? {}) as { readonly error?: unknown };
  return typeof error === "string"
    ? error
    : `the server answered GET /stats with status ${status} and no report`;
}

/**
 * Requests per second of the last minutes, as many points as there would be if the server had been watched; empty if it
 * does not say.
 *
 * @param interval between two points, in milliseconds
 */
export async function askHistory(controlSocket: string, interval: number): Promise<readonly number[]> {
  try {
    const { status, body } = await requestControl(controlSocket, "GET", "/history", undefined, ANSWER_TIME);
    return status === 200 ? ratesOf(body as Partial<HistoryReport>, interval) : [];
  } catch {
    return [];
  }
}

function ratesOf(
  { byClass = {}, interval: given = 1000 }: Partial<HistoryReport>,
  interval: number,
): number[] {
  const series = Object.values(byClass);
  const rates = (series[0] ?? []).map((_, at) => series.reduce((sum, points) => sum + (points[at] ?? 0), 0));
  const each = Math.max(1, Math.round(given / interval));
  return rates.flatMap((rate) => Array<number>(each).fill(rate)).slice(-MAX_POINTS);
}

/** The servers of this user, those that answer with their figures. */
export async function listServers(): Promise<ListedServer[]> {
  return await Promise.all((await runningServers()).map(listed));
}

async function listed(server: RunningServer): Promise<ListedServer> {
  const { pid, name = "", folder = "", controlSocket, status } = server;
  const silent = {
    pid,
    name,
    folder,
    controlSocket,
    state: controlSocket === undefined ? "no socket" : "no answer",
    generation: null,
    workers: null,
    uptime: null,
    requestsPerSecond: null,
    p99: null,
    app: "",
    addresses: "",
  };
  if (status === undefined || controlSocket === undefined) return silent;
  const answer = await askStats(controlSocket);
  const rates = "stats" in answer && answer.stats.isCounting ? answer.stats.rates : undefined;
  return {
    ...silent,
    state: status.state,
    generation: status.generation,
    workers: status.workers,
    uptime: status.uptime,
    requestsPerSecond: rates?.requestsPerSecond ?? null,
    p99: rates?.p99 ?? null,
    app: status.app,
    addresses: status.listening.join(","),
  };
}

/**
 * Finds a server that does not answer any more.
 * @param since when it last answered, in milliseconds since the epoch
 */
export async function findAgain(
  server: Pick<WatchedServer, "pid" | "name" | "folder">,
  since: number,
): Promise<AnsweringServer | undefined> {
  return successorOf(server, since, (await runningServers()).filter(answers));
}

/** A new server may have begun a little before the last answer of the old one. */
const OVERLAP = 5000;

/** The server under the same pid, else one that was started in its place: one that ran all the time is another server. */
export function successorOf(
  { pid, name, folder }: Pick<WatchedServer, "pid" | "name" | "folder">,
  since: number,
  servers: readonly AnsweringServer[],
): AnsweringServer | undefined {
  const isSuccessor = (server: AnsweringServer): boolean =>
    server.name === name &&
    server.folder === folder &&
    Date.parse(server.status.startedAt) >= since - OVERLAP;
  return servers.find((server) => server.pid === pid) ?? servers.find(isSuccessor);
}
