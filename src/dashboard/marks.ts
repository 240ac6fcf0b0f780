/** The events that charts mark: deploys and deaths. */
import type { EventReport } from "../control/stats.ts";
import type { Mark } from "./chart-model.ts";

const KINDS: Readonly<Partial<Record<EventReport["type"], Mark["kind"]>>> = {
  reloaded: "reload",
  "reload-failed": "reload",
  upgrade: "upgrade",
};

export function marks(events: readonly EventReport[]): Mark[] {
  return events.flatMap((event) => {
    const kind = KINDS[event.type] ?? (event.type === "worker-exit" && event.isProblem ? "crash" : undefined);
    return kind === undefined ? [] : [{ time: Date.parse(event.time) / 1000, kind, label: event.message }];
  });
}
