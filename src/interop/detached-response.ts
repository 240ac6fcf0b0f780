/**
 * The response to a request whose connection Node detached with its `upgrade` event, though not every such request ends
 * in an upgrade.
 */
import type { IncomingMessage, ServerResponse as Response } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { ServerResponse } from "../native/http.ts";

/** How long the client may keep sending before the connection is destroyed. */
const LINGER_MS = 2000;

/** Creates the response for such a request. It closes the connection, unless the app upgrades it. */
export function detachedResponse(request: IncomingMessage, socket: Duplex): Response {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket as Socket);
  response.on("finish", () => {
    response.detachSocket(socket as Socket);
    lingerThenClose(socket);
  });
  return response;
}

/**
 * Closes our side, then the connection once the client has closed its side or `LINGER_MS` has passed. Input until then
 * is discarded, so that no reset overtakes the response (RFC 9112 section 9.6).
 */
function lingerThenClose(socket: Duplex): void {
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(timer));
  socket.end();
  socket.resume();
}
