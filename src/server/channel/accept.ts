/** Accepts connections as channels, from the handles that a listening handle accepts. */
import type { Server, Socket } from "node:net";
import type { ConnectionFacts } from "../front/facts.ts";
import type { Front } from "../front/front.ts";
import type { Channel } from "./channel.ts";
import type { StreamHandle } from "./handle-access.ts";
import { HandleChannel } from "./handle-channel.ts";
import { handlesUsable, probeHandles } from "./handle-probe.ts";
import { SocketChannel } from "./socket-channel.ts";

interface ListeningHandle {
  onconnection?: (status: number, handle: StreamHandle) => void;
  setNoDelay?(on: boolean): number;
}

/** Linux hands TCP_NODELAY down to the accepted connections, which saves each a system call. */
const INHERITS_NO_DELAY = process.platform === "linux";

/** Passes each connection that the listening `server` accepts through the front as a socket, and on to `connect`. */
export function acceptThroughFront(
  server: Server,
  { front, isUnix }: { readonly front: Front; readonly isUnix: boolean },
  connect: (socket: Socket, facts: ConnectionFacts) => void,
): void {
  server.on("connection", (socket) => front.admit(socket.setNoDelay(true), isUnix, connect));
}

/**
 * Passes each connection that the listening `server` accepts to `connect`, which starts it. Falls back to ordinary
 * sockets if Node's internals are not as expected.
 */
export function acceptConnections(server: Server, connect: (channel: Channel) => void): void {
  const listening = (server as unknown as { _handle?: ListeningHandle })._handle;
  if (typeof listening?.onconnection !== "function") {
    server.on("connection", (socket) => connect(SocketChannel.over(socket.setNoDelay(true))));
    return;
  }
  const inherits = INHERITS_NO_DELAY && listening.setNoDelay?.(true) === 0;
  let first = true;
  listening.onconnection = (status, handle) => {
    if (status !== 0) {
      server.emit("error", new Error(`accept failed with status ${status}`));
      return;
    }
    if (!inherits) handle.setNoDelay?.(true);
    if (first) {
      first = false;
      // Not before, so that it delays no start.
      setImmediate(probeHandles);
    }
    connect(handlesUsable() ? new HandleChannel(handle) : SocketChannel.around(handle));
  };
}
