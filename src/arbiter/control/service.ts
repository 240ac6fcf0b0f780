/**
 * Reports the server's state to systemd (`Type=notify`): that it serves, reloads or stops, and how many workers are
 * ready. Derives it from the pool's state, and reports each change once.
 */
import type { ServiceNotifier } from "../../systemd/notify.ts";
import type { Desired } from "../pool/desired.ts";
import { type Roster, readyWorkers } from "../pool/roster.ts";

type Phase = "booting" | "serving" | "reloading" | "stopping";

export interface ServiceState {
  readonly desired: Desired;
  readonly roster: Roster;
  /** The configuration is being read for a reload. */
  readonly reading: boolean;
  /** Another arbiter continues to serve when this one stops. */
  readonly hasSuccessor: boolean;
}

export class Service {
  readonly #notifier: ServiceNotifier;
  /** Whether another process is the service. */
  #muted = true;
  #phase: Phase = "booting";
  #status = "";
  /** Whether the arbiter's loop has turned since the last message to systemd's watchdog. */
  #hasTurned = true;

  constructor(notifier: ServiceNotifier) {
    this.#notifier = notifier;
  }

  /** This process is the service from now on. `turn` makes the arbiter's loop turn once. */
  begin(turn: () => void): void {
    this.#muted = false;
    // The arbiter is healthy if its loop has reached `settled` since the previous message.
    this.#notifier.startWatchdog(() => {
      const isHealthy = this.#hasTurned;
      this.#hasTurned = false;
      turn();
      return isHealthy;
    });
  }

  /** Call when the pool has settled. */
  settled(state: ServiceState): void {
    this.#hasTurned = true;
    if (this.#muted) return;
    const phase = phaseOf(state);
    const status = statusText(phase, state);
    if (phase !== this.#phase) this.#enter(phase, status, state.hasSuccessor);
    else if (status !== this.#status) unawaited(this.#notifier.status(status));
    this.#phase = phase;
    this.#status = status;
  }

  #enter(phase: Phase, status: string, hasSuccessor: boolean): void {
    if (phase === "serving") unawaited(this.#notifier.ready(status));
    else if (phase === "reloading") unawaited(this.#notifier.reloading(status));
    else if (phase === "stopping" && !hasSuccessor) unawaited(this.#notifier.stopping(status));
  }

  /** Tells systemd that the process `pid` is the service from now on. */
  async handOver(pid: number): Promise<void> {
    if (this.#muted) return;
    await this.#notifier.mainPid(pid);
    this.#muted = true;
  }

  /** Waits until pending messages are sent. */
  async close(): Promise<void> {
    await this.#notifier.close();
  }
}

/** The notifier reports its failures itself and never rejects. */
function unawaited(notification: Promise<void>): void {
  notification.catch(() => {});
}

function phaseOf({ desired, reading }: ServiceState): Phase {
  if (desired.stop !== undefined) return "stopping";
  if (desired.established === 0) return "booting";
  return reading || desired.candidate !== undefined || desired.reloadQueued ? "reloading" : "serving";
}

function statusText(phase: Phase, { desired, roster }: ServiceState): string {
  const ready = readyWorkers(roster).length;
  if (phase === "stopping") return `stopping, ${roster.length} workers left`;
  if (phase === "booting") return `booting, ${ready} of ${desired.target} workers ready`;
  const generation = `generation ${desired.established}`;
  const next = phase === "reloading" ? ", reloading" : "";
  return `${ready} of ${desired.target} workers ready, ${generation}${next}`;
}
