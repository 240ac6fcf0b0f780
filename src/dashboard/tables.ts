/** The tables: workers, requests in flight, events. Rows are kept from one report to the next, with the focus in them. */
import type { EventReport, InFlightReport, StatsReport, WorkerStats } from "../control/stats.ts";
import { byId, element, keepChildren, setText } from "./dom.ts";
import { bytes, count, duration, moment } from "./format.ts";
import { stateOf, workerCells } from "./worker-cells.ts";

/** More rows are named by their number. */
const MAX_REQUESTS = 50;
const MAX_EVENTS = 40;

export function showWorkers(workers: StatsReport["workers"], restart: (worker: WorkerStats) => void): void {
  let shown = workers;
  keepChildren(
    byId("workers-rows"),
    workers.toSorted((a, b) => a.slot - b.slot || a.generation - b.generation),
    ({ pid }) => String(pid),
    ({ slot, pid }) => {
      const button = element("button", { type: "button", class: "small" }, "Restart");
      button.setAttribute("aria-label", `Restart worker ${pid} in slot ${slot}`);
      button.addEventListener("click", () => {
        const current = shown.find((worker) => worker.pid === pid);
        if (current !== undefined) restart(current);
      });
      const cells = Array.from({ length: 17 }, () => element("td"));
      return element(
        "tr",
        {},
        element("th", { scope: "row" }, String(slot)),
        ...cells,
        element("td", {}, button),
      );
    },
    (row, worker) => {
      row.dataset.state = stateOf(worker).replace(" ", "-");
      fill(row, workerCells(worker));
      const state = row.children[3] as HTMLElement;
      state.title = worker.notReady ?? "";
    },
  );
  shown = workers;
  setText(byId("workers-none"), workers.length === 0 ? "No worker is running." : "");
}

export function showRequests(requests: readonly InFlightReport[]): void {
  const oldest = requests.toSorted((a, b) => b.age - a.age).slice(0, MAX_REQUESTS);
  keepChildren(
    byId("requests-rows"),
    oldest.map((request, index) => ({
      request,
      key: request.id ?? `${request.pid} ${request.target} ${index}`,
    })),
    ({ key }) => key,
    () =>
      element(
        "tr",
        {},
        element("th", { scope: "row", class: "text" }),
        ...Array.from({ length: 7 }, () => element("td")),
      ),
    (row, { request }) => {
      const head = row.children[0] as HTMLElement;
      setText(head, `${request.method} ${request.target}`);
      // It may be cut off.
      head.title = head.textContent ?? "";
      fill(row, [
        duration(request.age),
        String(request.slot),
        String(request.pid),
        request.remote || "–",
        bytes(request.bytesReceived),
        bytes(request.bytesSent),
        request.id ?? "–",
      ]);
    },
  );
  const more = requests.length - oldest.length;
  byId("requests-table").hidden = requests.length === 0;
  setText(
    byId("requests-none"),
    requests.length === 0 ? "No request is in flight." : more > 0 ? `and ${count(more)} younger ones` : "",
  );
}

/**
 * @param events the newest last
 * @param now milliseconds since the epoch
 */
export function showEvents(events: readonly EventReport[], now: number): void {
  keepChildren(
    byId("events-rows"),
    events.slice(-MAX_EVENTS).toReversed(),
    ({ number, time }) => `${time} ${number}`,
    (event) =>
      element(
        "tr",
        {},
        element("td"),
        element("td", { class: "text" }, words(event.type)),
        element("td", { class: "text" }, event.message),
      ),
    (row, event) => {
      row.dataset.problem = String(event.isProblem);
      setText(row.children[0] as Element, moment(Date.parse(event.time), now));
    },
  );
  byId("events-table").hidden = events.length === 0;
  setText(byId("events-none"), events.length === 0 ? "Nothing has happened yet." : "");
}

function words(type: string): string {
  return type.replaceAll("-", " ");
}

/** Sets the cells after the first. */
function fill(row: HTMLElement, texts: readonly string[]): void {
  for (const [index, text] of texts.entries()) {
    const cell = row.children[index + 1];
    if (cell !== undefined) setText(cell, text);
  }
}
