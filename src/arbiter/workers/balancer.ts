/** Tells the workers their share of the connections when it has changed (`pool/balance.ts`). */
import type { Config } from "../../config/settings.ts";
import type { ToWorker } from "../../ipc/messages.ts";
import { balanceOf } from "../pool/balance.ts";
import { findWorker, type Roster } from "../pool/roster.ts";

/** Workers report a burst one after the other. What the first of them got says nothing yet. */
const GATHER_MS = 50;

/**
 * Time for the connections that a worker was told to shed to close, and to come to another. An order soon after gets
 * twice as long: they may be a proxy's, which has them come back to this worker (`--worker-bind`).
 */
const SHED_MS = 300;
const MAX_SHED_MS = 60_000;

interface Sent {
  readonly share: number | undefined;
  readonly shed: number;
  /** How many requests the worker had completed by its last report. */
  readonly requests: number;
  /** Until then no order to shed is sent. */
  readonly until: number;
  /** How long the last order to shed got; 0 if there was none. */
  readonly patienceMs: number;
}

const NOTHING: Sent = { share: undefined, shed: 0, requests: 0, until: 0, patienceMs: 0 };

/** How long another order to shed gets. */
function patience(last: Sent, now: number): Pick<Sent, "until" | "patienceMs"> {
  const isSoon = now < last.until + 2 * last.patienceMs;
  const patienceMs = isSoon ? Math.min(MAX_SHED_MS, 2 * last.patienceMs) : SHED_MS;
  return { until: now + patienceMs, patienceMs };
}

interface Change extends Pick<Sent, "share" | "shed" | "requests"> {
  readonly id: number;
}

export class Balancer {
  readonly #send: (id: number, message: ToWorker<Config>) => void;
  readonly #sent = new Map<number, Sent>();
  /** When to send what has changed; undefined if nothing has. */
  #dueAt: number | undefined;

  constructor(send: (id: number, message: ToWorker<Config>) => void) {
    this.#send = send;
  }

  /** Call whenever the roster may have changed, and at the time that it returns. */
  review(roster: Roster, now: number): number | undefined {
    const changed = this.#changes(roster, now);
    if (changed.length === 0) {
      this.#dueAt = undefined;
      return undefined;
    }
    this.#dueAt ??= now + GATHER_MS;
    if (now < this.#dueAt) return this.#dueAt;
    this.#dueAt = undefined;
    for (const { id, share, shed, requests } of changed) {
      const last = this.#sent.get(id) ?? NOTHING;
      const { until, patienceMs } = shed === 0 ? last : patience(last, now);
      this.#sent.set(id, { share, shed, requests, until, patienceMs });
      this.#send(id, { type: "balance", share, shed });
    }
    return undefined;
  }

  /** The worker's process has ended. */
  forget(id: number): void {
    this.#sent.delete(id);
  }

  #changes(roster: Roster, now: number): Change[] {
    return [...balanceOf(roster, now)].flatMap(([id, balance]) => {
      const requests = findWorker(roster, id)?.lastBeat?.requests ?? 0;
      const sent = this.#sent.get(id) ?? NOTHING;
      // An order that has done its work is cancelled at once.
      if (now < sent.until && balance.shed > 0) return [];
      // A client that was told to close may have come back to the same worker.
      const isRepeated = balance.shed > 0 && requests > sent.requests;
      const isSame = balance.share === sent.share && balance.shed === sent.shed;
      return isSame && !isRepeated ? [] : [{ id, ...balance, requests }];
    });
  }
}
