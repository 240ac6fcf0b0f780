/** Server-sent events from Express: numbered, so that a browser that comes back hears what it missed. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import express, { type Response } from "express";
import { currentWorker } from "tsgun/node";

/** Between two events, in milliseconds. */
const EVERY = 250;
const PAGE = readFileSync(join(import.meta.dirname, "page.html"), "utf8");

/** Tells that this worker has to go; under plain node there is none. */
const drain = currentWorker()?.drain;

/** Who listens, and the number of the event that they heard last. */
const listeners = new Map<Response, number>();

export const app = express();

app.get("/", (_request, response) => {
  response.type("html").send(PAGE);
});

app.get("/events", (request, response) => {
  response.set({
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    // Tells nginx to pass each event on as it comes.
    "x-accel-buffering": "no",
  });
  // Come back after a second.
  response.write("retry: 1000\n\n");
  tell(response, Number(request.get("last-event-id") ?? now() - 1));
  response.on("close", () => listeners.delete(response));
  // A kept connection may still bring a request while the worker drains.
  if (drain?.aborted) response.end();
});

/** Sends what came after the event numbered `heard`, though no more than a hundred. */
function tell(response: Response, heard: number): void {
  const latest = Math.max(heard, now());
  for (let tick = Math.max(heard, latest - 100) + 1; tick <= latest; tick += 1) {
    response.write(`id: ${tick}\ndata: ${new Date(tick * EVERY).toISOString()}\n\n`);
  }
  listeners.set(response, latest);
}

/** The number of the latest event. All workers have the clock in common; an app would ask its database. */
function now(): number {
  return Math.floor(Date.now() / EVERY);
}

const clock = setInterval(() => {
  for (const [response, heard] of listeners) tell(response, heard);
}, EVERY);

// These answers have no end of their own: when the worker has to go they are ended, and the browsers come back.
drain?.addEventListener("abort", () => {
  clearInterval(clock);
  for (const response of listeners.keys()) response.end();
});
