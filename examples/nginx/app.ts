/** The app behind nginx: pages, news, an API, a login, a stream and a WebSocket, each as small as possible. */
import type { IncomingMessage } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { type App, endSignal, type Handler } from "tsgun";
import { WebSocketServer } from "ws";

/** Each worker's state. */
export interface State {
  /** The number of requests that reached the worker, without `/api/served`. */
  served: number;
}

const HTML = { "content-type": "text/html; charset=utf-8" };
const JSON_TYPE = { "content-type": "application/json" };
/** Names the server and the worker. */
const SERVED_BY = { "x-served-by": `${process.env.INSTANCE ?? "1"}/${process.pid}` };

const sockets = new WebSocketServer({ noServer: true });

const PAGE = `<!doctype html>
<title>Behind nginx</title>
<link rel="stylesheet" href="/static/style.css">
<p>This page is the app's; its style comes from nginx.</p>
`;

const page: Handler<State> = (_request, respond) => respond(200, { ...HTML, ...SERVED_BY }, PAGE);

/** The same for everybody and expensive: worth caching. */
const news: Handler<State> = async (_request, respond) => {
  await pause(50);
  const headers = { ...JSON_TYPE, ...SERVED_BY, "cache-control": "max-age=60" };
  respond(200, headers, JSON.stringify({ made: new Date().toISOString() }));
};

const served: Handler<State> = (request, respond) =>
  respond(200, JSON_TYPE, JSON.stringify({ served: request.state.served }));

/** The client, as far as the app can know. */
const whoAmI: Handler<State> = (request, respond) => {
  const { scheme, host, id, remote } = request;
  const address = remote.family === "unix" ? "unix" : remote.address;
  respond(200, { ...JSON_TYPE, ...SERVED_BY }, JSON.stringify({ address, scheme, host, id }));
};

const echo: Handler<State> = async (request, respond) =>
  respond(200, { "content-type": "text/plain", ...SERVED_BY }, await request.body.text());

const login: Handler<State> = (_request, respond) =>
  respond(200, { ...HTML, "set-cookie": "session=1; HttpOnly; Secure; SameSite=Lax; Path=/" }, "Welcome.\n");

/** Server-sent events: one a second until the client goes or the worker drains. */
const events: Handler<State> = async (request, respond) => {
  const over = endSignal(request, respond);
  const writer = respond(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  for (let tick = 1; !over.aborted; tick++) {
    await writer.write(`data: ${tick}\n\n`);
    await pause(1000, undefined, { signal: over }).catch(() => {});
  }
  await writer.end();
};

const routes: Record<string, Handler<State>> = {
  "GET /": page,
  "GET /news": news,
  "GET /api/served": served,
  "GET /api/whoami": whoAmI,
  "GET /api/echo": echo,
  "POST /api/echo": echo,
  "POST /login": login,
  "GET /events": events,
};

export const app: App<State> = {
  startup: (worker) => {
    worker.drain.addEventListener("abort", () => {
      for (const socket of sockets.clients) socket.close(1012, "the worker restarts");
    });
    return { served: 0 };
  },
  handle: (request, respond) => {
    if (request.path !== "/api/served") request.state.served += 1;
    const method = request.method === "HEAD" ? "GET" : request.method;
    const found = routes[`${method} ${request.path}`];
    if (found !== undefined) return found(request, respond);
    respond(404, { "content-type": "text/plain", ...SERVED_BY }, "Nothing here.\n");
  },
  /** Echoes each WebSocket message to its sender. */
  upgrade: (request, respond) => {
    request.state.served += 1;
    // ws reads only these members of Node's request.
    const { method, target: url, headers } = request;
    const message = { method, url, headers } as unknown as IncomingMessage;
    sockets.handleUpgrade(message, respond.upgrade(), Buffer.alloc(0), (socket) => {
      socket.on("error", console.error);
      socket.on("message", (data, binary) => socket.send(data, { binary }));
    });
  },
};
