/** Whether the server is ready for requests, for `/health/ready`. A pure function; each fault is a reason of its own. */
import type { FileLoss } from "../sockets/bind.ts";
import type { LostSocket } from "../sockets/listeners.ts";
import type { Desired } from "./desired.ts";
import { isResponsive, type Roster, readyWorkers, SILENT_AFTER_MS } from "./roster.ts";

export interface ReadinessState {
  readonly desired: Desired;
  readonly roster: Roster;
  /** Time of the same clock as the roster's times. */
  readonly now: number;
  /** How many workers must be able to serve (`--min-ready`). */
  readonly minReady: number;
  /** The serving generation responds to every request with the error of an app that failed to start. */
  readonly isBroken: boolean;
  /** Another arbiter serves the same sockets with all its workers, so requests are served whatever happens to this one. */
  readonly isSuccessorReady: boolean;
  readonly lostSockets: readonly LostSocket[];
}

export function workerCountText(count: number): string {
  return `${count} worker${count === 1 ? "" : "s"}`;
}

/** Reasons why the server is not ready, for messages; empty when it is. */
export function unreadyReasons(state: ReadinessState): string[] {
  if (state.isSuccessorReady) return [];
  if (state.desired.stop !== undefined) return ["stopping"];
  if (state.desired.established === 0) return ["booting"];
  return [
    ...(state.isBroken ? ["the app is broken"] : []),
    ...state.lostSockets.map(({ url, loss }) => `${url}: ${LOSS_TEXTS[loss]}`),
    ...tooFewWorkers(state),
  ];
}

/** Why clients cannot reach a Unix socket, for messages. */
export const LOSS_TEXTS: { readonly [loss in FileLoss]: string } = {
  removed: "its file was removed",
  "another socket": "another server's socket is in its place",
  "no socket": "something that is no socket is in its place",
};

function tooFewWorkers({ roster, now, minReady }: ReadinessState): string[] {
  const ready = readyWorkers(roster);
  const responsive = ready.filter((worker) => isResponsive(worker, now));
  const short = responsive.filter(({ lastBeat }) => lastBeat?.isShort === true).length;
  // One without descriptors is counted as that, whatever its app says.
  const refused = responsive.flatMap(({ lastBeat }) =>
    lastBeat?.isShort !== true && lastBeat?.notReady !== undefined ? lastBeat.notReady : [],
  );
  const accepting = responsive.length - short - refused.length;
  if (accepting >= minReady) return [];
  const silent = ready.length - responsive.length;
  const silence =
    silent === 0 ? "" : `; ${workerCountText(silent)} silent for more than ${SILENT_AFTER_MS / 1000}s`;
  const shortage = short === 0 ? "" : `; ${workerCountText(short)} without file descriptors left`;
  const refusal =
    refused.length === 0
      ? ""
      : `; the app of ${workerCountText(refused.length)} says: ${[...new Set(refused)].join(", ")}`;
  const booting = roster.filter(({ state }) => state === "booting").length;
  const boots = booting === 0 ? "" : `; ${workerCountText(booting)} booting`;
  return [`${workerCountText(accepting)} ready, ${minReady} wanted${silence}${shortage}${refusal}${boots}`];
}
