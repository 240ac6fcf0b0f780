/**
 * Accepts connections that all read into one buffer. Node allocates 64 KiB for every read; a shared buffer saves that
 * and its garbage, a quarter of the cost of a small request. `net.Socket` has a public option for it (`onread`), but
 * `net.Server` does not pass it on, so sockets are created here, from the handles that the listening handle accepts.
 */
import { type Server, Socket, type SocketConstructorOpts } from "node:net";

/** Handles the bytes of a read, valid only during the call. Returning false pauses the socket. */
export type Receiver = (bytes: Buffer) => boolean;

interface ListeningHandle {
  onconnection?: (status: number, handle: unknown) => void;
}

const BUFFER_BYTES = 65536;

const RECEIVER = Symbol("receiver");

interface ReceivingSocket extends Socket {
  [RECEIVER]?: Receiver;
}

const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);

function onRead(this: ReceivingSocket, size: number): boolean {
  // A socket without a receiver is paused: its bytes wait in the kernel.
  return this[RECEIVER]?.(size === BUFFER_BYTES ? buffer : buffer.subarray(0, size)) ?? false;
}

/**
 * Passes each connection that the listening `server` accepts to `connect`, which returns its receiver. Falls back to
 * ordinary sockets if Node's internals are not as expected.
 */
export function acceptConnections(server: Server, connect: (socket: Socket) => Receiver): void {
  const listening = (server as unknown as { _handle?: ListeningHandle })._handle;
  if (typeof listening?.onconnection !== "function") {
    server.on("connection", (socket) => {
      const receive = connect(socket);
      socket.on("data", (bytes: Buffer) => {
        if (!receive(bytes)) socket.pause();
      });
    });
    return;
  }
  listening.onconnection = (status, handle) => {
    if (status !== 0) {
      server.emit("error", new Error(`accept failed with status ${status}`));
      return;
    }
    const options = { handle, allowHalfOpen: true, onread: { buffer, callback: onRead } };
    const socket: ReceivingSocket = new Socket(options as unknown as SocketConstructorOpts);
    socket[RECEIVER] = connect(socket);
  };
}
