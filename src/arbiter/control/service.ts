/**
 * What systemd is told of the server (`Type=notify`): that it serves, reloads or stops, and how many workers
 * are ready. Nothing is told twice; the changes follow from how the pool is, not from what was done to it.
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
  /** Another arbiter serves on when this one stops. */
  readonly hasSuccessor: boolean;
}

export class Service {
  readonly #notifier: ServiceNotifier;
  /** Another arbiter is the service. */
  #muted = true;
  #phase: Phase = "booting";
  #status = "";
  #turned = true;

  constructor(notifier: ServiceNotifier) {
    this.#notifier = notifier;
  }

  /** This process is the service from now on. `turn` makes the arbiter's loop turn once. */
  begin(turn: () => void): void {
    this.#muted = false;
    // Alive is what turns: a loop that does not reach `settled` any more is not.
    this.#notifier.startWatchdog(() => {
      const turned = this.#turned;
      this.#turned = false;
      turn();
      return turned;
    });
  }

  /** To be called when the pool has settled. */
  settled(state: ServiceState): void {
    this.#turned = true;
    if (this.#muted) return;
    const phase = phaseOf(state);
    const status = statusOf(phase, state);
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

  /** Another process is the service from now on. */
  async handOver(pid: number): Promise<void> {
    if (this.#muted) return;
    await this.#notifier.mainPid(pid);
    this.#muted = true;
  }

  /** Waits for what is on its way. */
  async close(): Promise<void> {
    await this.#notifier.close();
  }
}

/** The notifier reports its failures itself, and never rejects. */
function unawaited(told: Promise<void>): void {
  told.catch(() => {});
}

function phaseOf({ desired, reading }: ServiceState): Phase {
  if (desired.stop !== undefined) return "stopping";
  if (desired.established === 0) return "booting";
  return reading || desired.candidate !== undefined || desired.reloadAgain ? "reloading" : "serving";
}

function statusOf(phase: Phase, { desired, roster }: ServiceState): string {
  const ready = readyWorkers(roster).length;
  if (phase === "stopping") return `stopping, ${roster.length} workers left`;
  if (phase === "booting") return `booting, ${ready} of ${desired.target} workers ready`;
  const generation = `generation ${desired.established}`;
  const next = phase === "reloading" ? ", reloading" : "";
  return `${ready} of ${desired.target} workers ready, ${generation}${next}`;
}
