/** The end of a connection that node has given up with its upgrade event, behind an answer that changes no protocol. */
import type { Duplex } from "node:stream";

/** How long its client may still send, in milliseconds. */
const LINGER_MS = 2000;

/**
 * Closes our side, and the connection when the client has closed its own, or after a while: what comes until then is
 * thrown away, so that no reset overtakes the answer (RFC 9112 section 9.6).
 */
export function closeBehindAnswer(socket: Duplex): void {
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(timer));
  socket.end();
  socket.resume();
}
