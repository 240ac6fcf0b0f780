/** The bytes of a connection that the system has taken: a stream reports only complete writes, its handle counts each byte. */
import type { Socket } from "node:net";

/** The untyped members of a connection's handle. */
export interface CountingHandle {
  /** Bytes handed to the handle so far. */
  readonly bytesWritten: number;
  /** Those of them that the system has not accepted yet. */
  readonly writeQueueSize: number;
}

interface NestedHandle extends Partial<CountingHandle> {
  /** The handle below one of TLS, which itself does not tell how much of a write has been sent. */
  readonly _parent?: Partial<CountingHandle> | null;
}

/** How many bytes the system has accepted for sending; with TLS, encrypted ones. */
export function acceptedBytes(socket: Socket): number {
  const { _handle: handle } = socket as { _handle?: NestedHandle | null };
  const { bytesWritten, writeQueueSize } = handle?._parent ?? handle ?? {};
  if (bytesWritten === undefined || writeQueueSize === undefined) {
    return socket.bytesWritten - socket.writableLength;
  }
  return bytesWritten - writeQueueSize;
}
