/** Whether the server is ready for requests, for `/health/ready`. Pure; each fault is a separate reason. */
import type { FileLoss } from "../sockets/bind.ts";
import type { LostSocket } from "../sockets/listeners.ts";
import type { Desired } from "./desired.ts";
import { isResponsive, type Roster, readyWorkers, SILENT_AFTER_MS } from "./roster.ts";

export interface Circumstances {
  readonly desired: Desired;
  readonly roster: Roster;
  /** Time of the same clock as the roster's times. */
  readonly now: number;
  /** How many workers must be able to serve (`--min-ready`). */
  readonly minReady: number;
  /** The serving generation responds to every request with the error of an app that failed to load. */
  readonly broken: boolean;
  /** Another arbiter serves the same sockets with all its workers, so requests are served whatever becomes of this one. */
  readonly succeeded: boolean;
  readonly lostSockets: readonly LostSocket[];
}

export function workers(count: number): string {
  return `${count} worker${count === 1 ? "" : "s"}`;
}

/** Reasons why the server is not ready, for messages; empty when it is. */
export function obstacles(state: Circumstances): string[] {
  if (state.succeeded) return [];
  if (state.desired.stop !== undefined) return ["stopping"];
  if (state.desired.established === 0) return ["booting"];
  return [
    ...(state.broken ? ["the app is broken"] : []),
    ...state.lostSockets.map(({ url, loss }) => `${url}: ${LOSSES[loss]}`),
    ...tooFewWorkers(state),
  ];
}

/** Why clients cannot reach a Unix socket, for messages. */
export const LOSSES: { readonly [loss in FileLoss]: string } = {
  removed: "its file was removed",
  "another socket": "another server's socket is in its place",
  "no socket": "something that is no socket is in its place",
};

function tooFewWorkers({ roster, now, minReady }: Circumstances): string[] {
  const ready = readyWorkers(roster);
  const responsive = ready.filter((worker) => isResponsive(worker, now));
  const short = responsive.filter(({ lastBeat }) => lastBeat?.isShort === true).length;
  const accepting = responsive.length - short;
  if (accepting >= minReady) return [];
  const silent = ready.length - responsive.length;
  const silence = silent === 0 ? "" : `; ${workers(silent)} silent for more than ${SILENT_AFTER_MS / 1000}s`;
  const shortage = short === 0 ? "" : `; ${workers(short)} without file descriptors left`;
  return [`${workers(accepting)} ready, ${minReady} wanted${silence}${shortage}`];
}
