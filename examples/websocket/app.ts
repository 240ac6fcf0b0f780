/** A chat over WebSockets with `ws`, and its page. A message reaches everybody on the same worker. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { currentWorker } from "tsgun/node";
import { WebSocket, WebSocketServer } from "ws";

/** Aborts when this worker drains; undefined under plain Node. */
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
    // Binary messages go back to their sender, text to everybody.
    if (isBinary) socket.send(data);
    else broadcast(`${name}: ${data}`);
  });
  socket.send(`Hello, ${name}!`);
  // A kept connection may still carry a handshake while the worker drains.
  if (drain?.aborted) closeForRestart(socket);
});

function broadcast(text: string): void {
  for (const socket of sockets.clients) {
    if (socket.readyState === WebSocket.OPEN) socket.send(text);
  }
}

// A WebSocket has no end of its own: without this a reload would wait for the graceful timeout, then cut it.
// The page opens a new one, which a new worker accepts.
drain?.addEventListener("abort", () => {
  for (const socket of sockets.clients) closeForRestart(socket);
});

function closeForRestart(socket: WebSocket): void {
  socket.close(1012, "restarting");
}
