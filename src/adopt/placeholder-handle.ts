/**
 * Stands in for the listening handle of a server that the app told to listen. With a handle, Node's own methods
 * (`listening`, `address()`, `close()`, `getConnections()`) behave as for any listening server, while the connections come
 * from sockets that the arbiter bound.
 */
import type { AddressInfo, Server } from "node:net";

/** The result of `address()`: a path for a Unix socket. */
export type BoundAddress = AddressInfo | string;

/** The members of net.Server that Node does not document. */
export interface ServerInternals {
  _handle: object | null;
  _pipeName?: string | undefined;
  _connections: number;
}

export class PlaceholderHandle {
  /** Absent for a Unix socket: Node then returns the server's `_pipeName`. */
  readonly getsockname: ((out: Partial<AddressInfo>) => number) | undefined;
  readonly #onClose: () => void;

  /** @param onClose called when the app closes the server */
  constructor(address: BoundAddress, onClose: () => void) {
    this.#onClose = onClose;
    if (typeof address === "object") {
      this.getsockname = (out) => {
        Object.assign(out, address);
        return 0;
      };
    }
  }

  close(callback?: () => void): void {
    this.#onClose();
    if (callback !== undefined) setImmediate(callback);
  }

  /** The worker's own listening sockets keep the process alive. */
  ref(): void {}
  unref(): void {}
  hasRef(): boolean {
    return true;
  }

  getAsyncId(): number {
    return 0;
  }
}

/** Makes `server` listen as far as the app can tell: from now on it has an address, and `listening` is emitted. */
export function placeHandle(server: Server, address: BoundAddress, onClose: () => void): void {
  const internals = server as unknown as ServerInternals;
  if (typeof address === "string") internals._pipeName = address;
  const hadHandle = isListening(server);
  internals._handle = new PlaceholderHandle(address, onClose);
  if (hadHandle) return;
  process.nextTick(() => {
    if (isListening(server)) server.emit("listening");
  });
}

/** Whether the server listens, or seems to. */
export function isListening(server: Server): boolean {
  return (server as unknown as ServerInternals)._handle !== null;
}
