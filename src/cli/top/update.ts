/** How what is known changes: by answers of the server, by time, by keys. Pure: what is to be done is returned. */
import type { StatsReport } from "../../control/stats.ts";
import type { Key } from "./keys.ts";
import { pressed } from "./pressed.ts";
import {
  type ListedServer,
  type PanelKind,
  type PanelLine,
  type Size,
  type Step,
  type TopState,
  type WatchedServer,
  watch,
} from "./state.ts";
import type { Style } from "./style.ts";

export type TopEvent =
  | { readonly type: "key"; readonly key: Key }
  | { readonly type: "tick"; readonly now: number }
  | { readonly type: "resize"; readonly size: Size }
  | { readonly type: "servers"; readonly servers: readonly ListedServer[] }
  | { readonly type: "stats"; readonly controlSocket: string; readonly stats: StatsReport }
  /** Requests per second before now. */
  | { readonly type: "history"; readonly controlSocket: string; readonly rates: readonly number[] }
  | { readonly type: "unanswered"; readonly controlSocket: string; readonly problem: string }
  /** The watched server, under another pid or at another socket. */
  | { readonly type: "found"; readonly instead: string; readonly server: FoundServer }
  | {
      readonly type: "panel";
      readonly kind: PanelKind;
      readonly pid: number | undefined;
      readonly lines: readonly PanelLine[];
      /** The lines follow those up to record `after`, and end with record `last`. */
      readonly added?: { readonly after: number; readonly last: number };
    }
  | { readonly type: "outcome"; readonly id: number; readonly text: string; readonly style: Style };

type FoundServer = Pick<WatchedServer, "pid" | "name" | "folder" | "controlSocket">;

/** As many points as the widest sparkline has, and some for a wider one to come. */
const MAX_POINTS = 120;
/** Lines of a log that are kept. */
const MAX_LINES = 5000;
/** Milliseconds that an outcome stays on the screen. */
const NOTICE_TIME = 30_000;

export function update(state: TopState, event: TopEvent): Step {
  if (event.type === "key") return pressed(state, event.key);
  return { state: changed(state, event), effects: [] };
}

function changed(state: TopState, event: Exclude<TopEvent, { type: "key" }>): TopState {
  switch (event.type) {
    case "tick":
      return ticked(state, event.now);
    case "resize":
      return { ...state, size: event.size };
    case "servers":
      return listed(state, event.servers);
    case "panel":
      return withPanel(state, event);
    case "outcome":
      return withOutcome(state, event);
    case "found":
      return withFound(state, event);
    default:
      return withAnswer(state, event);
  }
}

function ticked(state: TopState, now: number): TopState {
  const { notice } = state;
  const isOld = notice !== undefined && now - notice.at > NOTICE_TIME;
  return { ...state, now, notice: isOld ? undefined : notice };
}

function listed(state: TopState, servers: readonly ListedServer[]): TopState {
  const { selected } = state.list;
  const isThere = servers.some(({ pid }) => pid === selected);
  return { ...state, list: { servers, selected: isThere ? selected : servers[0]?.pid } };
}

/** An answer to what another server, or the same before, was asked changes nothing. */
function withAnswer(
  state: TopState,
  event: Extract<TopEvent, { type: "stats" | "history" | "unanswered" }>,
): TopState {
  const { server, now } = state;
  if (server === undefined || server.controlSocket !== event.controlSocket) return state;
  if (event.type === "history") return { ...state, server: { ...server, rates: event.rates } };
  if (event.type === "unanswered") return { ...state, server: { ...server, problem: event.problem } };
  const { stats } = event;
  const { pid, name, folder } = stats.server;
  const rates = [...server.rates, stats.rates.requestsPerSecond].slice(-MAX_POINTS);
  const fresh = { stats, pid, name, folder, rates, answeredAt: now, problem: undefined };
  return { ...state, server: { ...server, ...fresh } };
}

/** The selection stays: the workers of the server that has taken its place have the same slots. */
function withFound(
  state: TopState,
  { instead, server: found }: Extract<TopEvent, { type: "found" }>,
): TopState {
  const { server, now } = state;
  if (server === undefined || server.controlSocket !== instead) return state;
  const { rates, sort, selection, stats, answeredAt, problem } = server;
  return {
    ...state,
    // Another process counts the records of its log from 1 again.
    panel: state.panel && { ...state.panel, last: 0 },
    server: { ...watch(found, now), rates, sort, selection, stats, answeredAt, problem },
  };
}

function withPanel(state: TopState, event: Extract<TopEvent, { type: "panel" }>): TopState {
  const { panel } = state;
  if (panel === undefined || panel.kind !== event.kind || panel.pid !== event.pid) return state;
  const { lines, added } = event;
  if (added === undefined) return { ...state, panel: { ...panel, lines } };
  // Asked for before the server was started anew.
  if (added.after !== panel.last) return state;
  const all = [...(panel.lines ?? []), ...lines].slice(-MAX_LINES);
  return { ...state, panel: { ...panel, lines: all, last: added.last } };
}

function withOutcome(state: TopState, { id, text, style }: Extract<TopEvent, { type: "outcome" }>): TopState {
  const done = state.running.find((each) => each.id === id);
  const running = state.running.filter((each) => each !== done);
  const scaling = running.some(({ command }) => command.workers !== undefined);
  const { server, now } = state;
  return {
    ...state,
    running,
    notice: { text, style, at: now },
    server: server && { ...server, wanted: scaling ? server.wanted : undefined },
  };
}
