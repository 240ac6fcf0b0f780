/**
 * The control interface as data: what can be asked of a running server and what it answers. It is HTTP
 * with JSON over a Unix socket; `docs/control.md` lists the requests.
 */

/** One worker, as its arbiter knows it. Times are milliseconds. */
export interface WorkerReport {
  readonly pid: number;
  readonly slot: number;
  readonly generation: number;
  readonly state: "booting" | "ready" | "draining";
  /** Since it was spawned. */
  readonly age: number;
  /** Open connections, as of its last beat. */
  readonly connections: number;
  /** Answers completed, as of its last beat. */
  readonly requests: number;
  /** Since its last beat, null before the first. */
  readonly silence: number | null;
}

export interface StatusReport {
  readonly name: string;
  readonly version: string;
  readonly pid: number;
  readonly app: string;
  readonly listening: readonly string[];
  /** Since the arbiter started, in milliseconds. */
  readonly uptime: number;
  readonly generation: number;
  /** Wanted, and how many of them serve now. */
  readonly workers: { readonly target: number; readonly ready: number };
  /** `down`: no worker is ready, and no reload under way that would change that. */
  readonly state: "booting" | "serving" | "reloading" | "stopping" | "down";
}

/** How something that was asked for ended. */
export type Outcome =
  | { readonly ok: true; readonly message: string }
  /** `detail` is the app's own stack, where it has one. */
  | { readonly ok: false; readonly error: string; readonly detail?: string };

export interface Health {
  /** The arbiter runs and is not stuck. */
  readonly live: boolean;
  /** Enough workers serve, and no drain has begun. */
  readonly ready: boolean;
  /** Why it is not ready; "ok" when it is. */
  readonly reason: string;
}

export type StopMode = "graceful" | "quick";

/** What the control interface controls; the arbiter is one. Outcomes come when the thing is done, not begun. */
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
}
