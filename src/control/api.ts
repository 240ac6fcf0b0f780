/**
 * The control interface as data: the commands and reports of a running server. The protocol is HTTP with JSON over a
 * Unix socket; `docs/control.md` lists the requests.
 */

import type { Examinable } from "./examination.ts";

/** One worker, as the arbiter sees it. Times are milliseconds. */
export interface WorkerReport {
  readonly pid: number;
  readonly slot: number;
  readonly generation: number;
  readonly state: "booting" | "ready" | "draining";
  /** Since it was spawned. */
  readonly age: number;
  /** Open connections, as of its last beat. */
  readonly connections: number;
  /** Responses completed, as of its last beat. */
  readonly requests: number;
  /** Since its last beat; null before the first. */
  readonly silence: number | null;
  /** Where clients reach this worker alone (`--worker-bind`); null if they cannot. */
  readonly address: string | null;
  /** Why its app says that it is not ready; null if it does not. */
  readonly notReady: string | null;
}

export interface StatusReport {
  readonly name: string;
  readonly version: string;
  readonly pid: number;
  readonly app: string;
  /** The working folder, symbolic links not resolved. */
  readonly folder: string;
  /** Where the command was started; another folder with `--chdir`. */
  readonly startedIn: string;
  /** The configuration file; null if there is none. */
  readonly config: string | null;
  readonly listening: readonly string[];
  /** When the arbiter started, as an ISO 8601 time. */
  readonly startedAt: string;
  /** Since the arbiter started, in milliseconds. */
  readonly uptime: number;
  /** The generation that serves; 0 before one does. */
  readonly generation: number;
  /** When that generation was begun, by a reload or the start, as an ISO 8601 time; null before one serves. */
  readonly generationStartedAt: string | null;
  /** The target number, and how many serve now. */
  readonly workers: { readonly target: number; readonly ready: number };
  /** `down`: no worker is ready, and no reload is in progress that could change that. */
  readonly state: "booting" | "serving" | "reloading" | "stopping" | "down";
  /** The text of `/health/ready`. */
  readonly ready: boolean;
  readonly reason: string;
}

/** The result of a command. */
export type Outcome =
  | { readonly ok: true; readonly message: string }
  /** `detail` is the app's own stack, if there is one. */
  | { readonly ok: false; readonly error: string; readonly detail?: string };

export interface Health {
  /** The arbiter is running and not stuck. */
  readonly live: boolean;
  /** The first generation has served. Never false again. */
  readonly started: boolean;
  /** Enough workers serve, and no drain has begun. */
  readonly ready: boolean;
  /** Why the server is not ready; "ok" if it is. */
  readonly reason: string;
}

export type StopMode = "graceful" | "quick";

/** The target of the control interface, implemented by the arbiter. Outcomes arrive when a command completes, not when it starts. */
export interface Controllable {
  status(): StatusReport;
  workers(): WorkerReport[];
  health(): Health;
  reload(): Promise<Outcome>;
  upgrade(): Promise<Outcome>;
  scale(workers: number): Promise<Outcome>;
  restart(pid: number): Promise<Outcome>;
  reopen(): Promise<Outcome>;
  stop(mode: StopMode): Promise<Outcome>;
  /** Returns the code that looks into workers; loads it at the first call. */
  examinations(): Promise<Examinable>;
}
