/** Asks the server for what a panel shows. */
import { requestControl } from "../../control/control-client.ts";
import type { StackReport } from "../../control/examination.ts";
import type { DeathReport, DeathStory, InFlightReport, LogReport } from "../../control/stats.ts";
import { describeStack } from "../ctl/examination-text.ts";
import { logLines, message, plainLines, requestLines } from "./panel-lines.ts";
import type { Panel, PanelLine, WatchedServer } from "./state.ts";

/** A stack comes as soon as the worker's thread has it; milliseconds. */
const ANSWER_TIME = 10_000;

export interface PanelAnswer {
  readonly lines: readonly PanelLine[];
  readonly added?: { readonly after: number; readonly last: number };
}

/** Whether a panel shows something that changes, and is asked for again with every refresh. */
export function isLive({ kind }: Panel): boolean {
  return kind === "requests" || kind === "log";
}

/** Returns the lines of a panel, or the reason why there are none. */
export async function askPanel(panel: Panel, server: WatchedServer): Promise<PanelAnswer> {
  try {
    return await ask(panel, server);
  } catch (error) {
    return { lines: message((error as Error).message) };
  }
}

async function ask({ kind, pid, last }: Panel, server: WatchedServer): Promise<PanelAnswer> {
  switch (kind) {
    case "requests":
      return { lines: requestLines((await get(server, "/requests")) as InFlightReport[]) };
    case "stack":
      return {
        lines: plainLines(describeStack((await get(server, `/workers/${pid}/stack`)) as StackReport)),
      };
    case "log": {
      const records = (await get(server, `/logs?since=${last}`)) as LogReport[];
      return { lines: logLines(records), added: { after: last, last: records.at(-1)?.number ?? last } };
    }
    case "why":
      return { lines: await storyOf(pid, server) };
    default:
      return { lines: [] };
  }
}

/** The story of a worker's end; without a pid, of the last one that somebody should look at. */
async function storyOf(pid: number | undefined, server: WatchedServer): Promise<PanelLine[]> {
  let id: string | undefined = pid?.toString();
  if (id === undefined) {
    const deaths = (await get(server, "/deaths")) as DeathReport[];
    id = deaths.find(({ isProblem }) => isProblem)?.id;
    if (id === undefined) return message("no worker has ended unasked", false);
  }
  const { story } = (await get(server, `/deaths/${id}`)) as DeathStory;
  return plainLines(story);
}

async function get({ controlSocket, stats }: WatchedServer, path: string): Promise<unknown> {
  const { status, body } = await requestControl(controlSocket, "GET", path, undefined, ANSWER_TIME);
  if (status === 200) return body;
  const { error } = (body ?? {}) as { readonly error?: unknown };
  if (status === 404 && /^unknown path/.test(String(error))) {
    const [route] = path.split("?");
    const version = stats?.server.version ?? "?";
    throw new Error(
      `this server is tsgun ${version}, which has no ${route}: replace it with tsgun ctl upgrade`,
    );
  }
  throw new Error(
    typeof error === "string" ? error : `the server answered GET ${path} with status ${status}`,
  );
}
