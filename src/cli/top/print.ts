/** `tsgun top --once` and `--json`: what a session shows, as text for scripts and bug reports. No terminal is needed. */
import { setTimeout as pause } from "node:timers/promises";
import { runningServers } from "../../control/running-servers.ts";
import type { StatsReport } from "../../control/stats.ts";
import { ExitCode, FatalError } from "../../errors.ts";
import { askHistory, askStats, findAgain, listServers } from "./feed.ts";
import { renderOnce } from "./frame.ts";
import { initialState, type TopState, type WatchedServer, watch } from "./state.ts";
import { paint, paletteOf } from "./style.ts";
import { update } from "./update.ts";

export type ChosenServer = Pick<WatchedServer, "pid" | "name" | "folder" | "controlSocket">;

export interface PrintOptions {
  /** Undefined: all servers of this user. */
  readonly server: ChosenServer | undefined;
  /** Columns of a line. */
  readonly width: number;
  readonly environment: NodeJS.ProcessEnv;
}

/** Milliseconds between two bars. */
const INTERVAL = 1000;

/** Prints one frame. @throws FatalError if the server gives no figures */
export async function printOnce({ server, width, environment }: PrintOptions): Promise<ExitCode> {
  const now = Date.now();
  let state: TopState = initialState({ columns: width, rows: 24 }, INTERVAL, now);
  if (server === undefined) {
    state = update(state, { type: "servers", servers: await listServers() }).state;
  } else {
    const { controlSocket } = server;
    const [stats, rates] = await Promise.all([figuresOf(server), askHistory(controlSocket, INTERVAL)]);
    state = { ...state, now: Date.now(), server: watch(server, now) };
    state = update(state, { type: "history", controlSocket, rates }).state;
    state = update(state, { type: "stats", controlSocket, stats }).state;
  }
  const palette = paletteOf(environment, false);
  const lines = renderOnce(state).map((line) => paint(line, palette).trimEnd());
  process.stdout.write(`${lines.join("\n")}\n`);
  return ExitCode.ok;
}

/** @throws FatalError if there are none */
async function figuresOf({ name, pid, controlSocket }: ChosenServer): Promise<StatsReport> {
  const answer = await askStats(controlSocket);
  if ("stats" in answer) return answer.stats;
  throw new FatalError(`${name} (pid ${pid}): ${answer.problem}`, ExitCode.failure);
}

/** Prints the report of each server as a line of JSON. @throws FatalError if a server gives none */
export async function printJsonOnce({ server }: PrintOptions): Promise<ExitCode> {
  const reports = await Promise.all((await serversOf(server)).map(figuresOf));
  for (const report of reports) printJson(report);
  return ExitCode.ok;
}

/**
 * Prints a report per server and interval, until the process ends. A server without an answer is named on standard error
 * once, and is looked for.
 *
 * @param interval in milliseconds
 */
export async function printJsonForever({ server }: PrintOptions, interval: number): Promise<never> {
  let watched = server;
  let told = "";
  let answeredAt = Date.now();
  for (;;) {
    const started = performance.now();
    const servers = watched === undefined ? await serversOf(undefined) : [watched];
    const problems: string[] = [];
    for (const each of servers) {
      const answer = await askStats(each.controlSocket);
      if ("stats" in answer) {
        printJson(answer.stats);
        answeredAt = Date.now();
      } else problems.push(`${each.name} (pid ${each.pid}): ${answer.problem}`);
    }
    if (problems.length > 0 && watched !== undefined)
      watched = (await foundAgain(watched, answeredAt)) ?? watched;
    const text = problems.join("; ");
    if (text !== told && text !== "") process.stderr.write(`tsgun: ${text}\n`);
    told = text;
    await pause(Math.max(0, interval - (performance.now() - started)));
  }
}

async function foundAgain(server: ChosenServer, since: number): Promise<ChosenServer | undefined> {
  const found = await findAgain(server, since);
  return found && { ...server, pid: found.pid, controlSocket: found.controlSocket };
}

async function serversOf(server: ChosenServer | undefined): Promise<ChosenServer[]> {
  if (server !== undefined) return [server];
  return (await runningServers()).flatMap(({ pid, name = "", folder = "", controlSocket }) =>
    controlSocket === undefined ? [] : [{ pid, name, folder, controlSocket }],
  );
}

function printJson(report: StatsReport): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
