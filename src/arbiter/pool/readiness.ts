/** Whether the server should be sent requests: what `/health/ready` answers. Pure; each fault is a reason of its own. */
import type { FileLoss } from "../sockets/bind.ts";
import type { LostSocket } from "../sockets/listeners.ts";
import type { Desired } from "./desired.ts";
import { isResponsive, type Roster, readyWorkers, SILENT_AFTER } from "./roster.ts";

export interface Circumstances {
  readonly desired: Desired;
  readonly roster: Roster;
  /** By the clock of the roster's times. */
  readonly now: number;
  /** How many workers must be able to serve (`--min-ready`). */
  readonly minReady: number;
  /** What serves answers every request with the error of an app that cannot be loaded. */
  readonly broken: boolean;
  /** Another arbiter serves the same sockets with all its workers, whatever becomes of this one. */
  readonly succeeded: boolean;
  readonly lostSockets: readonly LostSocket[];
}

export function workers(count: number): string {
  return `${count} worker${count === 1 ? "" : "s"}`;
}

/** What speaks against sending requests, for people; nothing when the server is ready. */
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

/** Why clients cannot reach a Unix socket, for people. */
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
  const silence = silent === 0 ? "" : `; ${workers(silent)} silent for more than ${SILENT_AFTER / 1000}s`;
  const shortage = short === 0 ? "" : `; ${workers(short)} without file descriptors left`;
  return [`${workers(accepting)} ready, ${minReady} wanted${silence}${shortage}`];
}
