/** The meaning of keys: a state machine of the table, a panel over it, a question, and the list of servers. */
import { PROFILE_SECONDS } from "../../control/examination.ts";
import { columnsFor, sorted } from "./columns.ts";
import { HELP } from "./help.ts";
import type { Key } from "./keys.ts";
import { scrolled } from "./panel-view.ts";
import { selectedIndex, selectedWorker } from "./selection.ts";
import {
  type Command,
  type Effect,
  type Panel,
  type PanelKind,
  type Question,
  type Step,
  type TopState,
  type WatchedServer,
  watch,
} from "./state.ts";

export function pressed(state: TopState, key: Key): Step {
  if (key === "ctrl-c") return { state, effects: [{ type: "quit" }] };
  if (key === "ctrl-z") return { state, effects: [{ type: "suspend" }] };
  if (key === "ctrl-l") return { state, effects: [{ type: "redraw" }] };
  if (state.question !== undefined) return answered(state, state.question, key);
  if (state.panel !== undefined) return inPanel(state, state.panel, key);
  return state.server === undefined ? inList(state, key) : inTable(state, state.server, key);
}

function step(state: TopState, ...effects: Effect[]): Step {
  return { state, effects };
}

/** Only `y` is a yes. `+` and `-` change the number that is asked about. */
function answered(state: TopState, { command }: Question, key: Key): Step {
  const open = { ...state, question: undefined };
  if (key === "y" || key === "Y") return run(open, command);
  const { workers } = command;
  if (workers !== undefined && (key === "-" || key === "+"))
    return scale(open, workers + (key === "+" ? 1 : -1));
  return step(say(open, "nothing was changed"));
}

const STEPS: Readonly<Record<Key, number>> = { up: -1, k: -1, down: 1, j: 1 };
const JUMPS: Readonly<Record<Key, number>> = {
  home: Number.NEGATIVE_INFINITY,
  g: Number.NEGATIVE_INFINITY,
  end: Number.POSITIVE_INFINITY,
  G: Number.POSITIVE_INFINITY,
};

/** How far a key moves; undefined for any other. */
function distance({ size }: TopState, key: Key): number | undefined {
  if (key === "page-up" || key === "page-down")
    return (key === "page-up" ? -1 : 1) * Math.max(1, size.rows - 8);
  return STEPS[key] ?? JUMPS[key];
}

const BACK: ReadonlySet<Key> = new Set(["escape", "q", "enter", "backspace", "left"]);

function inPanel(state: TopState, panel: Panel, key: Key): Step {
  const by = distance(state, key);
  if (by !== undefined) return step({ ...state, panel: scrolled(state, panel, by) });
  if (BACK.has(key)) return step({ ...state, panel: undefined });
  const isAgain = OPENS[key] === panel.kind && panel.kind !== "stack";
  if (isAgain) return step({ ...state, panel: undefined });
  return state.server === undefined ? step(state) : onServer(state, state.server, key);
}

function inList(state: TopState, key: Key): Step {
  const { list, now } = state;
  const servers = list.servers ?? [];
  if (key === "q") return step(state, { type: "quit" });
  if (key === "?") return open(state, "help");
  const at = Math.max(
    0,
    servers.findIndex(({ pid }) => pid === list.selected),
  );
  const by = distance(state, key);
  if (by !== undefined) {
    const to = servers[Math.max(0, Math.min(at + by, servers.length - 1))];
    return step({ ...state, list: { ...list, selected: to?.pid } });
  }
  const chosen = servers[at];
  if ((key !== "enter" && key !== "right") || chosen === undefined) return step(state);
  const { controlSocket } = chosen;
  if (controlSocket === undefined) {
    return step(say(state, `${chosen.name} (pid ${chosen.pid}) has no control socket that can be found`));
  }
  return step(
    { ...state, server: watch({ ...chosen, controlSocket }, now), notice: undefined },
    { type: "refresh" },
  );
}

function inTable(state: TopState, server: WatchedServer, key: Key): Step {
  if (key === "q") return step(state, { type: "quit" });
  if (key === "escape" || key === "left") {
    const list = { ...state.list, selected: server.pid };
    return step({ ...state, list, server: undefined, notice: undefined }, { type: "refresh" });
  }
  const by = distance(state, key);
  if (by !== undefined) return step({ ...state, server: moved(server, by) });
  if (key === "<" || key === ">") {
    return step({ ...state, server: resorted(server, state.size.columns, key === "<" ? -1 : 1) });
  }
  return onServer(state, server, key);
}

function moved(server: WatchedServer, by: number): WatchedServer {
  const workers = sorted(server.stats?.workers ?? [], server.sort);
  const to = workers[Math.max(0, Math.min(selectedIndex(server, workers) + by, workers.length - 1))];
  return to === undefined ? server : { ...server, selection: { pid: to.pid, slot: to.slot } };
}

/** Sorts by the column left or right of the current one, among those that are shown. */
function resorted(server: WatchedServer, width: number, by: -1 | 1): WatchedServer {
  const shown = columnsFor(width, server.stats);
  const at = shown.findIndex(({ id }) => id === server.sort);
  const next = shown[(Math.max(0, at) + by + shown.length) % shown.length];
  return next === undefined ? server : { ...server, sort: next.id };
}

const OPENS: Readonly<Record<Key, PanelKind>> = {
  i: "requests",
  s: "stack",
  l: "log",
  w: "why",
  "?": "help",
};

/** The keys that mean the same in the table and in a panel. */
function onServer(state: TopState, server: WatchedServer, key: Key): Step {
  const kind = OPENS[key];
  if (kind !== undefined) return open(state, kind);
  if (key === "+" || key === "=") return scaleBy(state, server, 1);
  if (key === "-" || key === "_") return scaleBy(state, server, -1);
  if (key === "R") {
    const command: Command = { doing: `reloading ${server.name}`, method: "POST", path: "/reload" };
    return ask(state, `reload ${server.name}: start the app anew in all workers?`, command);
  }
  return key === "r" || key === "p" ? onWorker(state, key) : step(state);
}

/** More workers are no risk; fewer are asked about. */
function scaleBy(state: TopState, server: WatchedServer, by: number): Step {
  const now = server.wanted ?? server.stats?.server.workers.target;
  if (now === undefined) return step(say(state, "the number of workers is not known yet"));
  return scale(state, now + by);
}

function scale(state: TopState, workers: number): Step {
  const { server } = state;
  const now = server?.wanted ?? server?.stats?.server.workers.target;
  if (server === undefined || now === undefined || workers === now || workers < 0) return step(state);
  const noun = workers === 1 ? "worker" : "workers";
  const command: Command = {
    doing: `scaling to ${workers} ${noun}`,
    method: "POST",
    path: "/scale",
    body: { workers },
    workers,
  };
  if (workers > now) return run(state, command);
  const warning = workers === 0 ? "; nothing will serve" : "";
  return ask(state, `scale ${server.name} from ${now} down to ${workers} ${noun}${warning}?`, command);
}

function onWorker(state: TopState, key: "r" | "p"): Step {
  const worker = selectedWorker(state);
  if (worker === undefined) return step(say(state, "there is no worker to choose"));
  const { pid } = worker;
  if (key === "r") {
    const path = `/workers/${pid}/restart`;
    return ask(state, `restart worker ${pid}?`, { doing: `restarting worker ${pid}`, method: "POST", path });
  }
  return run(state, {
    doing: `profiling worker ${pid} for ${PROFILE_SECONDS.default} s`,
    method: "POST",
    path: `/workers/${pid}/profile`,
    body: { seconds: PROFILE_SECONDS.default },
    file: { pid, extension: "cpuprofile" },
  });
}

function ask(state: TopState, text: string, command: Command): Step {
  return step({ ...state, question: { text, command } });
}

function run(state: TopState, command: Command): Step {
  const { server, now } = state;
  if (server === undefined) return step(state);
  const id = 1 + Math.max(0, ...state.running.map((each) => each.id));
  return step(
    {
      ...state,
      running: [...state.running, { id, command, since: now }],
      notice: undefined,
      server: { ...server, wanted: command.workers ?? server.wanted },
    },
    { type: "command", id, controlSocket: server.controlSocket, command },
  );
}

function say(state: TopState, text: string): TopState {
  return { ...state, notice: { text, style: "plain", at: state.now } };
}

function open(state: TopState, kind: PanelKind): Step {
  const worker = selectedWorker(state);
  if (kind === "help") {
    return step({ ...state, panel: { kind, title: "Keys", pid: undefined, lines: HELP, last: 0, top: 0 } });
  }
  if (kind === "stack" && worker === undefined) return step(say(state, "there is no worker to choose"));
  // The worker that has died is the one before the selected one.
  const pid = kind === "stack" ? worker?.pid : kind === "why" ? worker?.lastExit?.pid : undefined;
  const panel: Panel = {
    kind,
    title: TITLES[kind](pid),
    pid,
    lines: undefined,
    last: 0,
    top: kind === "log" ? undefined : 0,
  };
  return step({ ...state, panel }, { type: "refresh" });
}

const TITLES: Readonly<Record<Exclude<PanelKind, "help">, (pid: number | undefined) => string>> = {
  requests: () => "Requests in flight, the oldest first",
  stack: (pid) => `Stack of worker ${pid}`,
  log: () => "Log",
  why: (pid) => (pid === undefined ? "The last end of a worker" : `Why worker ${pid} ended`),
};
