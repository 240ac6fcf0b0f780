/** The events that the page knows. After an upgrade the new arbiter begins a list of its own; the page keeps the old one's. */
import type { EventReport } from "../control/stats.ts";

const MAX_KEPT = 200;

/** Returns both lists as one, the newest last. */
export function joinEvents(before: readonly EventReport[], news: readonly EventReport[]): EventReport[] {
  const known = new Map([...before, ...news].map((event) => [`${event.time} ${event.number}`, event]));
  return [...known.values()]
    .sort((a, b) => Date.parse(a.time) - Date.parse(b.time) || a.number - b.number)
    .slice(-MAX_KEPT);
}
