/**
 * The parts of Node's internals that a channel needs to drive a connection's handle without a socket. Nothing here is looked
 * up by name or version: a socket around a false handle shows how this Node reads, writes and shuts down. Whether it
 * works is for the probe to see (`handle-probe.ts`).
 */
import { Socket, type SocketConstructorOpts } from "node:net";
import { READ_BUFFER } from "./channel.ts";

/** The handle of an accepted connection. Calls return 0 or an error number, which is negative. */
export interface StreamHandle {
  onread: unknown;
  readonly fd: number;
  /** Bytes that were written, whether the system has taken them or not. */
  readonly bytesWritten: number;
  /** Bytes that were written and that the system has not taken. */
  readonly writeQueueSize: number;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  writeLatin1String(request: WriteRequest | null, text: string): number | WriteRequest;
  writev(request: WriteRequest | null, pieces: unknown[], areAllBuffers: boolean): number | WriteRequest;
  shutdown(request: ShutdownRequest): number;
  close(closed: (this: StreamHandle) => void): void;
  // Only for TCP.
  reset?(closed: (this: StreamHandle) => void): number;
  setNoDelay?(on: boolean): number;
  setKeepAlive?(on: boolean, seconds: number): number;
  getpeername?(address: object): number;
  getsockname?(address: object): number;
}

/** A write that the system has not taken at once. Node keeps it alive until it is complete. */
export interface WriteRequest {
  oncomplete?: (this: WriteRequest, status: number) => void;
  /** Keeps alive what is written. */
  buffer?: unknown;
  /** Its number in Node's async hooks; negative while it is not in use. */
  getAsyncId(): number;
}

export interface ShutdownRequest {
  oncomplete?: (this: ShutdownRequest, status: number) => void;
}

/** The members under which Node's reading function finds the owner of a handle, and those that it uses of the owner. */
export interface ReadingSymbols {
  readonly owner: symbol;
  readonly updateTimer: symbol;
  readonly buffer: symbol;
  readonly bufferCallback: symbol;
  readonly bufferGenerator: symbol;
}

export interface HandleAccess {
  readonly symbols: ReadingSymbols;
  /** Node's own reading function. It alone is told how many bytes were read, or why there are none. */
  readonly onRead: unknown;
  readonly ShutdownRequest: new () => ShutdownRequest;
  /** Up to Node 22 each write is given a request; later the handle returns one if need be. */
  readonly WriteRequest: (new () => WriteRequest) | undefined;
}

/** Stands for a handle: notes what a socket does to it. */
class FalseHandle {
  onread: unknown;
  written: WriteRequest | null | undefined;
  ended: ShutdownRequest | undefined;

  getAsyncId(): number {
    return 1;
  }

  useUserBuffer(): void {}

  readStart(): number {
    return 0;
  }

  writeLatin1String(request: WriteRequest | null): number {
    this.written = request;
    return 0;
  }

  shutdown(request: ShutdownRequest): number {
    this.ended = request;
    return 0;
  }
}

/** @throws Error if this Node's sockets work otherwise */
export function findHandleAccess(): HandleAccess {
  const handle = new FalseHandle();
  const onread = { buffer: READ_BUFFER, callback: () => true };
  const socket = new Socket({ handle, onread } as unknown as SocketConstructorOpts);
  const owner = Object.getOwnPropertySymbols(handle).find(
    (symbol) => (handle as unknown as Record<symbol, unknown>)[symbol] === socket,
  );
  socket.write("x", "latin1");
  socket._final(() => {});
  const { written, ended, onread: onRead } = handle;
  if (owner === undefined || typeof onRead !== "function" || ended === undefined || written === undefined)
    throw new Error("sockets use their handles in an unknown way");
  return {
    symbols: {
      owner,
      updateTimer: symbolOf(Socket.prototype, "kUpdateTimer"),
      buffer: symbolOf(socket, "kBuffer"),
      bufferCallback: symbolOf(socket, "kBufferCb"),
      bufferGenerator: symbolOf(socket, "kBufferGen"),
    },
    onRead,
    ShutdownRequest: ended.constructor as new () => ShutdownRequest,
    WriteRequest: written === null ? undefined : (written.constructor as new () => WriteRequest),
  };
}

function symbolOf(object: object, description: string): symbol {
  const found = Object.getOwnPropertySymbols(object).find((symbol) => symbol.description === description);
  if (found === undefined) throw new Error(`sockets have no ${description}`);
  return found;
}
