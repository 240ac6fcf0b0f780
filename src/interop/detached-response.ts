/** Closes a connection that Node detached with its `upgrade` event but whose response did not switch protocols. */
import type { Duplex } from "node:stream";

/** How long the client may keep sending before the connection is destroyed. */
const LINGER_MS = 2000;

/**
 * Closes our side, then the connection once the client has closed its side or `LINGER_MS` has passed. Input until then
 * is discarded, so that no reset overtakes the response (RFC 9112 section 9.6).
 */
export function closeBehindAnswer(socket: Duplex): void {
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(timer));
  socket.end();
  socket.resume();
}
