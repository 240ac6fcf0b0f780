/** Server-sent events from Express, numbered so that a browser that reconnects gets those it missed. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import express, { type Response } from "express";
import { currentWorker } from "tsgun/node";

const INTERVAL_MS = 250;
const PAGE = readFileSync(join(import.meta.dirname, "page.html"), "utf8");

/** Aborts when this worker drains; undefined under plain Node. */
const drain = currentWorker()?.drain;

/** Open responses, each with the number of the last event sent to it. */
const listeners = new Map<Response, number>();

export const app = express();

app.get("/", (_request, response) => {
  response.type("html").send(PAGE);
});

app.get("/events", (request, response) => {
  response.set({
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    // Tells nginx to pass on each event at once.
    "x-accel-buffering": "no",
  });
  // Reconnect after a second.
  response.write("retry: 1000\n\n");
  sendSince(response, Number(request.get("last-event-id") ?? now() - 1));
  response.on("close", () => listeners.delete(response));
  // A kept connection may still carry a request while the worker drains.
  if (drain?.aborted) response.end();
});

/** Sends the events after number `last`, at most a hundred. */
function sendSince(response: Response, last: number): void {
  const latest = Math.max(last, now());
  for (let tick = Math.max(last, latest - 100) + 1; tick <= latest; tick += 1) {
    response.write(`id: ${tick}\ndata: ${new Date(tick * INTERVAL_MS).toISOString()}\n\n`);
  }
  listeners.set(response, latest);
}

/** The number of the latest event. All workers share the clock; a real app would ask its database. */
function now(): number {
  return Math.floor(Date.now() / INTERVAL_MS);
}

const clock = setInterval(() => {
  for (const [response, last] of listeners) sendSince(response, last);
}, INTERVAL_MS);

// These responses have no end of their own: end them when the worker drains, and the browsers reconnect.
drain?.addEventListener("abort", () => {
  clearInterval(clock);
  for (const response of listeners.keys()) response.end();
});
