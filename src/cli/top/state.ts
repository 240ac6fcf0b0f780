/** Everything that `tsgun top` knows, as one value. */
import type { StatsReport } from "../../control/stats.ts";
import type { ColumnId } from "./columns.ts";
import type { Style } from "./style.ts";

export interface TopState {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly size: Size;
  /** Time between two refreshes, in milliseconds. */
  readonly interval: number;
  readonly list: ServerList;
  /** The one that is watched; undefined while the list of servers is shown. */
  readonly server: WatchedServer | undefined;
  /** Shown in place of the table. */
  readonly panel: Panel | undefined;
  /** Waits for a key. */
  readonly question: Question | undefined;
  /** Commands that have been sent and have no outcome yet. */
  readonly running: readonly RunningCommand[];
  /** The last outcome, or what a key could not do. */
  readonly notice: Notice | undefined;
}

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** A server as the list shows it. */
export interface ListedServer {
  readonly pid: number;
  readonly name: string;
  readonly folder: string;
  /** Undefined if it has none that can be found. */
  readonly controlSocket: string | undefined;
  readonly state: string;
  readonly generation: number | null;
  readonly workers: { readonly ready: number; readonly target: number } | null;
  /** In milliseconds. */
  readonly uptime: number | null;
  readonly requestsPerSecond: number | null;
  readonly p99: number | null;
  readonly app: string;
  readonly addresses: string;
}

export interface ServerList {
  /** Undefined until they have been looked for. */
  readonly servers: readonly ListedServer[] | undefined;
  /** The selected server's pid. */
  readonly selected: number | undefined;
}

export interface WatchedServer {
  readonly pid: number;
  readonly name: string;
  readonly folder: string;
  readonly controlSocket: string;
  /** The last answer; undefined before the first. */
  readonly stats: StatsReport | undefined;
  /** When it last answered, in milliseconds since the epoch; before the first answer, since when it is asked. */
  readonly answeredAt: number;
  /** Why there is no answer, or no figures in it; undefined if there are. */
  readonly problem: string | undefined;
  /** Requests per second, the newest last. */
  readonly rates: readonly number[];
  readonly selection: Selection | undefined;
  readonly sort: ColumnId;
  /** The number of workers that was asked for while that command runs. */
  readonly wanted: number | undefined;
}

/** The selected worker. Its slot stays when it is replaced. */
export interface Selection {
  readonly pid: number;
  readonly slot: number;
}

export type PanelKind = "requests" | "stack" | "log" | "why" | "help";

export interface Panel {
  readonly kind: PanelKind;
  readonly title: string;
  /** The worker whose it is; undefined for the whole server. */
  readonly pid: number | undefined;
  /** Undefined until they have arrived. */
  readonly lines: readonly PanelLine[] | undefined;
  /** The number of the last record in them, where more are added; 0 before the first. */
  readonly last: number;
  /** Lines scrolled off at the top; undefined: the end stays in view. */
  readonly top: number | undefined;
}

export interface PanelLine {
  readonly text: string;
  readonly style: Style;
}

export interface Question {
  readonly text: string;
  readonly command: Command;
}

/** Something that is done to the server. */
export interface Command {
  /** `reloading`, `scaling to 4 workers` */
  readonly doing: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: unknown;
  /** The number of workers that it asks for. */
  readonly workers?: number;
  /** The response is a file to keep: the worker whose it is, and the extension of its name. */
  readonly file?: { readonly pid: number; readonly extension: string };
}

export interface RunningCommand {
  readonly id: number;
  readonly command: Command;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

export interface Notice {
  readonly text: string;
  readonly style: Style;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** A task for the session. */
export type Effect =
  | { readonly type: "quit" }
  | { readonly type: "suspend" }
  | { readonly type: "redraw" }
  /** Another server is watched, or another panel is open: ask at once. */
  | { readonly type: "refresh" }
  | {
      readonly type: "command";
      readonly id: number;
      readonly controlSocket: string;
      readonly command: Command;
    };

/** The result of an event. */
export interface Step {
  readonly state: TopState;
  readonly effects: readonly Effect[];
}

export function initialState(size: Size, interval: number, now: number): TopState {
  return {
    now,
    size,
    interval,
    list: { servers: undefined, selected: undefined },
    server: undefined,
    panel: undefined,
    question: undefined,
    running: [],
    notice: undefined,
  };
}

/** A server that has not been asked yet. */
export function watch(
  { pid, name, folder, controlSocket }: Pick<WatchedServer, "pid" | "name" | "folder" | "controlSocket">,
  now: number,
): WatchedServer {
  return {
    pid,
    name,
    folder,
    controlSocket,
    stats: undefined,
    answeredAt: now,
    problem: undefined,
    rates: [],
    selection: undefined,
    sort: "slot",
    wanted: undefined,
  };
}
