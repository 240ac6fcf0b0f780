/**
 * Accepts connections for a server of the app that does not listen itself, and passes them on by its `connection` event.
 * The connections are the server's in every respect: it counts them, and its `close` waits for them.
 */
import { Server, type Socket } from "node:net";
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

type AcceptedSocket = Socket & { server: Server; _server: Server };

/** Makes a server to listen with in place of `server`. */
export function acceptorFor(server: Server): Server {
  const { keepAliveInitialDelay = 0, ...options } = server as unknown as AcceptOptions & ServerInternals;
  const { allowHalfOpen, pauseOnConnect, noDelay, keepAlive, highWaterMark, blockList } = options;
  const acceptor = new Server({
    ...(allowHalfOpen !== undefined && { allowHalfOpen }),
    ...(pauseOnConnect !== undefined && { pauseOnConnect }),
    ...(noDelay !== undefined && { noDelay }),
    ...(keepAlive !== undefined && { keepAlive }),
    ...(highWaterMark !== undefined && { highWaterMark }),
    ...(blockList !== undefined && { blockList: blockList as never }),
    keepAliveInitialDelay: keepAliveInitialDelay * 1000,
  });
  acceptor.on("connection", (socket) => passOn(socket as AcceptedSocket, acceptor, server));
  return acceptor;
}

function passOn(socket: AcceptedSocket, acceptor: Server, server: Server): void {
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
  server.emit("connection", socket);
}
