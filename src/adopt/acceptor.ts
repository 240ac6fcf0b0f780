/**
 * Accepts connections for a server of the app that does not listen itself, and passes them on by its `connection` event.
 * The connections are the server's in every respect: it counts them, and its `close` waits for them.
 */
import { Server, type Socket } from "node:net";
import type { ConnectionFacts } from "../server/front/facts.ts";
import type { Front } from "../server/front/front.ts";
import type { ServerInternals } from "./placeholder-handle.ts";

/** Options of net.Server that take effect when a connection is accepted, as the server keeps them. */
interface AcceptOptions {
  readonly allowHalfOpen?: boolean;
  readonly pauseOnConnect?: boolean;
  readonly noDelay?: boolean;
  readonly keepAlive?: boolean;
  /** Seconds here, milliseconds in the constructor. */
  readonly keepAliveInitialDelay?: number;
  readonly highWaterMark?: number;
  readonly blockList?: unknown;
}

interface Passage {
  readonly acceptor: Server;
  readonly server: Server;
}

type AcceptedSocket = Socket & { server: Server; _server: Server };

/**
 * Makes a server to listen with in place of `server`.
 *
 * @param front what its connections go through first
 * @param divert takes a connection that is none of the server's, and returns true
 */
export function acceptorFor(
  server: Server,
  front?: Front,
  divert?: (socket: Socket, facts: ConnectionFacts) => boolean,
): Server {
  const { keepAliveInitialDelay = 0, ...options } = server as unknown as AcceptOptions & ServerInternals;
  const { allowHalfOpen, pauseOnConnect, noDelay, keepAlive, highWaterMark, blockList } = options;
  const acceptor = new Server({
    ...(allowHalfOpen !== undefined && { allowHalfOpen }),
    ...(front !== undefined ? { pauseOnConnect: true } : pauseOnConnect !== undefined && { pauseOnConnect }),
    ...(noDelay !== undefined && { noDelay }),
    ...(keepAlive !== undefined && { keepAlive }),
    ...(highWaterMark !== undefined && { highWaterMark }),
    ...(blockList !== undefined && { blockList: blockList as never }),
    keepAliveInitialDelay: keepAliveInitialDelay * 1000,
  });
  acceptor.on("connection", (socket) => {
    const accepted = socket as AcceptedSocket;
    if (front === undefined) return passOn(accepted, socket, { acceptor, server });
    const address = acceptor.address();
    // A Unix socket that was inherited has no name here.
    const isUnix = address === null || typeof address === "string";
    front.admit(socket, isUnix, (last, facts) => {
      if (divert?.(last, facts) === true) return;
      if (last === socket && pauseOnConnect !== true) unpause(socket);
      passOn(accepted, last, { acceptor, server });
    });
  });
  return acceptor;
}

/** Makes a socket like one that has just been accepted: it reads, and flows once it has a listener. */
function unpause(socket: Socket): void {
  // Node's own `pauseOnConnect` sets it so.
  (socket as { readableFlowing: boolean | null }).readableFlowing = null;
  socket.read(0);
}

/** @param last the socket on which the server's protocol is spoken: the accepted one, or one around it */
function passOn(socket: AcceptedSocket, last: Socket, { acceptor, server }: Passage): void {
  const internals = server as unknown as ServerInternals;
  (acceptor as unknown as ServerInternals)._connections -= 1;
  const { maxConnections } = server as { maxConnections?: number | null };
  internals._connections += 1;
  socket.server = server;
  socket._server = server;
  if (maxConnections != null && internals._connections > maxConnections) {
    const { localAddress, localPort, remoteAddress, remotePort } = socket;
    socket.destroy();
    server.emit("drop", { localAddress, localPort, remoteAddress, remotePort });
    return;
  }
  server.emit("connection", last);
}
