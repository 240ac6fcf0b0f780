/** The recent ends of workers: the first line of each story, and the rest on demand. */
import type { DeathReport } from "../control/stats.ts";
import { byId, element, keepChildren, setText } from "./dom.ts";
import { moment } from "./format.ts";
import { death } from "./server.ts";

/** @param now milliseconds since the epoch */
export function showDeaths(deaths: readonly DeathReport[], now: number): void {
  keepChildren(
    byId("deaths-list"),
    deaths,
    ({ id }) => id,
    makeDeath,
    (item, { time }) => {
      const when = item.querySelector("time");
      if (when !== null) setText(when, moment(Date.parse(time), now));
    },
  );
  setText(byId("deaths-none"), deaths.length === 0 ? "No worker has died." : "");
}

function makeDeath(found: DeathReport): HTMLElement {
  const tone = found.isProblem ? "problem" : "expected";
  const story = element("pre", { tabindex: "0", "aria-label": `What happened to worker ${found.pid}` });
  const details = element(
    "details",
    {},
    element(
      "summary",
      {},
      element("time", { datetime: found.time }),
      element("span", { class: `badge ${tone}` }, tone),
      element(
        "span",
        { class: "headline" },
        `Worker ${found.pid} ${found.headline}.${found.cause === "" ? "" : ` Likely cause: ${found.cause}.`}`,
      ),
    ),
    story,
  );
  details.addEventListener("toggle", () => {
    if (details.open && story.dataset.state !== "loaded") load(found.id, story);
  });
  return element("li", {}, details);
}

function load(id: string, story: HTMLElement): void {
  story.textContent = "Loading …";
  death(id).then(
    (report) => {
      story.textContent = report.story;
      story.dataset.state = "loaded";
    },
    (error: Error) => {
      // The next opening tries again.
      story.textContent = `The record cannot be read: ${error.message}`;
    },
  );
}
