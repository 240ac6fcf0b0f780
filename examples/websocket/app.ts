/** A chat over WebSockets with `ws`, and the page it is used from. Everybody on the same worker hears it. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { currentWorker } from "tsgun/node";
import { WebSocket, WebSocketServer } from "ws";

/** Tells that this worker has to go; under plain node there is none. */
const drain = currentWorker()?.drain;

const PAGE = readFileSync(join(import.meta.dirname, "page.html"));

export const server = createServer((request, response) => {
  if (request.url !== "/") {
    response.writeHead(404).end("Nothing here.\n");
    return;
  }
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(PAGE);
});

const sockets = new WebSocketServer({ server, path: "/chat" });

sockets.on("connection", (socket, request) => {
  const name = new URL(request.url ?? "", "http://chat").searchParams.get("name") ?? "somebody";
  socket.on("error", console.error);
  socket.on("message", (data, isBinary) => {
    // Pictures go back to their sender, words to everybody.
    if (isBinary) socket.send(data);
    else tellAll(`${name}: ${data}`);
  });
  socket.send(`Hello, ${name}!`);
  // A kept connection may still bring a handshake while the worker drains.
  if (drain?.aborted) leave(socket);
});

function tellAll(text: string): void {
  for (const socket of sockets.clients) {
    if (socket.readyState === WebSocket.OPEN) socket.send(text);
  }
}

// A WebSocket has no end of its own: without this a reload would wait for its graceful timeout, then cut it.
// The page opens a new one, which a new worker takes.
drain?.addEventListener("abort", () => {
  for (const socket of sockets.clients) leave(socket);
});

function leave(socket: WebSocket): void {
  socket.close(1012, "restarting");
}
