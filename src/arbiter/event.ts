/** The events of the arbiter's loop. */
import type { Configuration } from "../config/config.ts";
import type { FromWorker } from "../ipc/messages.ts";
import type { StallReport } from "../ipc/stall-report.ts";
import type { ControlCommand } from "./control/control-commands.ts";
import type { MemoryUse } from "./pool/recycling.ts";
import type { PredecessorStep, SuccessorEvent } from "./upgrade/handover.ts";

/** The signals that the arbiter handles; docs/signals.md describes them. */
export const SIGNALS = [
  "SIGTERM",
  "SIGINT",
  "SIGQUIT",
  "SIGHUP",
  "SIGTTIN",
  "SIGTTOU",
  "SIGWINCH",
  "SIGUSR1",
  "SIGUSR2",
] as const;

export type Signal = (typeof SIGNALS)[number];

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The configuration for a reload has been read, or could not be. */
export type ReloadEvent =
  | { readonly type: "read"; readonly configuration: Configuration }
  | { readonly type: "unreadable"; readonly error: Error };

export type ArbiterEvent =
  | { readonly type: "signal"; readonly signal: Signal }
  | { readonly type: "message"; readonly id: number; readonly message: FromWorker }
  /** A worker's watchdog reports that its event loop is blocked, or turns again. */
  | { readonly type: "stall"; readonly report: StallReport }
  /** A worker may stand still so long, because it is examined; 0: the examination is over. */
  | { readonly type: "examined"; readonly id: number; readonly milliseconds: number }
  /** The memory of the workers has been measured. */
  | { readonly type: "memory"; readonly use: MemoryUse }
  | { readonly type: "exit"; readonly id: number; readonly ending: Ending }
  /** A worker's process could not be started, or the hook before it failed. */
  | { readonly type: "unstarted"; readonly id: number; readonly error: Error }
  /** A request of the control interface. */
  | { readonly type: "command"; readonly command: ControlCommand }
  | { readonly type: "reload"; readonly event: ReloadEvent }
  /** With `--reload`: files have changed; the names are for display. */
  | { readonly type: "files"; readonly changed: readonly string[] }
  /** During an upgrade, in the old arbiter and in the new one. */
  | { readonly type: "successor"; readonly event: SuccessorEvent }
  | { readonly type: "predecessor"; readonly step: PredecessorStep }
  /** Reconcile asked for a call at this time, or the clock wants to be read. */
  | { readonly type: "tick" };
