/**
 * Accepts connections so that all of them read into one buffer. Node would allocate 64 KiB for every
 * read; a shared buffer saves that (and its garbage), which is a quarter of the cost of a small request.
 * `net.Socket` has the public option for it (`onread`), but `net.Server` does not pass it on, so
 * the sockets are made here, from the handles that the listening handle accepts.
 */
import { type Server, Socket, type SocketConstructorOpts } from "node:net";

/** Takes the bytes of a read, valid during the call only; false pauses the socket. */
export type Receiver = (bytes: Buffer) => boolean;

interface ListeningHandle {
  onconnection?: (status: number, handle: unknown) => void;
}

const BUFFER_SIZE = 65536;

const RECEIVER = Symbol("receiver");

interface ReceivingSocket extends Socket {
  [RECEIVER]?: Receiver;
}

const buffer = Buffer.allocUnsafeSlow(BUFFER_SIZE);

function onRead(this: ReceivingSocket, size: number): boolean {
  // A socket that has been handed over has no receiver of ours for a moment: its bytes wait in the kernel.
  return this[RECEIVER]?.(size === BUFFER_SIZE ? buffer : buffer.subarray(0, size)) ?? false;
}

/**
 * From now on, connections that `server` (which is listening) accepts go to `connect`, which returns
 * what takes their bytes. Falls back to ordinary sockets where node's internals are not as expected.
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
