/** The last events of the server, for those who ask or follow: each with a number, so that a client can go on after one. */
import { channel } from "node:diagnostics_channel";
import type { EventReport } from "../../control/stats.ts";

/** For the configuration file, whose code runs in the arbiter: docs/monitoring.md. */
const published = channel("tsgun:arbiter:event");

/** Events that are kept. */
export const MAX_EVENTS = 200;

/** Longer messages are cut: what an app says about its own failure may be of any length. */
const MAX_MESSAGE = 1000;

export type NewEvent = Omit<EventReport, "number" | "time">;

export class EventLog {
  #last = 0;
  #kept: EventReport[] = [];
  readonly #followers = new Set<(event: EventReport) => void>();

  /** Adds an event that has just happened. */
  add(event: NewEvent): void {
    const report: EventReport = {
      number: ++this.#last,
      time: new Date().toISOString(),
      ...event,
      message: event.message.slice(0, MAX_MESSAGE),
    };
    this.#kept.push(report);
    if (this.#kept.length > MAX_EVENTS) this.#kept.shift();
    for (const follower of this.#followers) follower(report);
    published.publish(report);
  }

  /** The events that are kept after number `after`, oldest first. */
  since(after = 0): EventReport[] {
    return this.#kept.filter(({ number }) => number > after);
  }

  /** Calls `follower` with each event from now on; returns what ends that. */
  follow(follower: (event: EventReport) => void): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }
}
