/** The last events of the server, which are published as well. */
import { channel } from "node:diagnostics_channel";
import type { EventReport } from "../../control/stats.ts";
import { RecentRecords } from "./recent-records.ts";

/** For the configuration file, whose code runs in the arbiter: docs/monitoring.md. */
const published = channel("tsgun:arbiter:event");

/** Events that are kept. */
export const MAX_EVENTS = 200;

/** Longer messages are cut: what an app says about its own failure may be of any length. */
const MAX_MESSAGE = 1000;

export type NewEvent = Omit<EventReport, "number" | "time">;

export class EventLog extends RecentRecords<EventReport> {
  constructor() {
    super(MAX_EVENTS);
  }

  /** Adds an event that has just happened, and publishes it. */
  override add(event: NewEvent): EventReport {
    const report = super.add({ ...event, message: event.message.slice(0, MAX_MESSAGE) });
    published.publish(report);
    return report;
  }
}
