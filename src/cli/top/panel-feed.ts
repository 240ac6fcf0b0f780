/** Asks the server for what a panel shows. */
import { requestControl } from "../../control/control-client.ts";
import type { InFlightReport } from "../../control/stats.ts";
import { message, plainLines, requestLines } from "./panel-lines.ts";
import type { Panel, PanelLine, WatchedServer } from "./state.ts";

/** A stack comes as soon as the worker's thread has it; milliseconds. */
const ANSWER_TIME = 10_000;

/** Whether a panel shows something that changes, and is asked for again with every refresh. */
export function isLive({ kind }: Panel): boolean {
  return kind === "requests" || kind === "log";
}

/** Returns the lines of a panel, or the reason why there are none. */
export async function askPanel(panel: Panel, server: WatchedServer): Promise<readonly PanelLine[]> {
  const { kind, pid } = panel;
  try {
    if (kind === "requests") return requestLines((await get(server, "/requests")) as InFlightReport[]);
    return plainLines(JSON.stringify(await get(server, `/workers/${pid}/stack`), undefined, 2));
  } catch (error) {
    return message((error as Error).message);
  }
}

async function get({ controlSocket, stats }: WatchedServer, path: string): Promise<unknown> {
  const { status, body } = await requestControl(controlSocket, "GET", path, undefined, ANSWER_TIME);
  if (status === 200) return body;
  const { error } = (body ?? {}) as { readonly error?: unknown };
  if (status === 404 && /^unknown path/.test(String(error))) {
    throw new Error(`this server (tsgun ${stats?.server.version ?? "?"}) does not know GET ${path}`);
  }
  throw new Error(typeof error === "string" ? error : `GET ${path}: status ${status}`);
}
