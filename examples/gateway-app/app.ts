/** An app with a lifecycle: state from `startup`, middleware with `compose`, and one route for each way to respond. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type App, compose, endSignal, type Handler } from "tsgun";
import { answerErrors, logged, onlyReading } from "./middleware.ts";

/** Each worker's state: `request.state`. */
export interface State {
  readonly startedAt: Date;
  visits: number;
}

const PUBLIC = join(import.meta.dirname, "public");
const EARLY_HINTS = process.env.EARLY_HINTS === "1";
const HTML = { "content-type": "text/html; charset=utf-8" };

const page: Handler<State> = (request, respond) => {
  request.state.visits += 1;
  // The browser fetches the style sheet while the page is still in the making. Turn this on only if the proxy supports
  // it: nginx before 1.29 hangs after an informational response.
  if (EARLY_HINTS) respond.informational(103, { link: "</style.css>; rel=preload; as=style" });
  const { visits, startedAt } = request.state;
  const text = `Visit ${visits} of worker ${request.worker.slot}, up since ${startedAt.toISOString()}.`;
  respond(200, HTML, `<!doctype html><link rel="stylesheet" href="/style.css"><p>${text}</p>\n`);
};

const styleSheet: Handler<State> = (_request, respond) => {
  respond(200, { "content-type": "text/css; charset=utf-8" }, { file: join(PUBLIC, "style.css") });
};

/** Server-sent events: one a second until the client goes or the worker drains. */
const ticks: Handler<State> = async (request, respond) => {
  const over = endSignal(request, respond);
  const writer = respond(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  for (let tick = 1; !over.aborted; tick++) {
    await writer.write(`data: ${tick}\n\n`);
    await pause(1000, undefined, { signal: over }).catch(() => {});
  }
  await writer.end();
};

/** Streams the content straight back, at the speed of the slower side. (nginx does not: it sends, then receives.) */
const mirror: Handler<State> = (request, respond) => {
  respond(200, { "content-type": "application/octet-stream" }, request.body);
};

/** Hashes an upload as it arrives, without buffering it. */
const digest: Handler<State> = async (request, respond) => {
  const hash = createHash("sha256");
  for await (const chunk of request.body) hash.update(chunk);
  respond(200, { "content-type": "text/plain" }, `${hash.digest("hex")}\n`);
};

const routes: Record<string, Handler<State>> = {
  "GET /": page,
  "GET /style.css": styleSheet,
  "GET /ticks": ticks,
  "POST /mirror": mirror,
  "POST /digest": digest,
};

const route: Handler<State> = (request, respond) => {
  const method = request.method === "HEAD" ? "GET" : request.method;
  const found = routes[`${method} ${request.path}`];
  if (found !== undefined) return found(request, respond);
  respond(404, { "content-type": "text/plain; charset=utf-8" }, "Nothing here.\n");
};

export const app: App<State> = {
  startup: () => ({ startedAt: new Date(), visits: 0 }),
  handle: compose<State>(logged, answerErrors, onlyReading("/mirror", "/digest"))(route),
  shutdown: (state) => console.log(`answered with the page ${state.visits} times`),
};
