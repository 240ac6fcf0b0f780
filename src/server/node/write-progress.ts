/**
 * Detects clients that stop reading. A stream reports only complete writes, and a slow client may need long for a large
 * one; the handle of the socket counts every byte.
 */
import type { Socket } from "node:net";

/** The untyped members of a socket's handle. */
interface StreamHandle {
  /** Bytes handed to the handle so far. */
  readonly bytesWritten: number;
  /** Those of them that the system has not accepted yet. */
  readonly writeQueueSize: number;
}

export class WriteProgress {
  readonly #socket: Socket;
  #acceptedBytes = 0;
  #progressAt: number;

  /** @param now milliseconds of the clock that `stalledFor` uses */
  constructor(socket: Socket, now: number) {
    this.#socket = socket;
    this.#progressAt = now;
  }

  /** Returns for how many milliseconds the client has read nothing; 0 if nothing is waiting. Call on every tick. */
  stalledFor(now: number): number {
    const socket = this.#socket;
    const accepted = acceptedBytes(socket);
    if (socket.writableLength === 0 || accepted !== this.#acceptedBytes) {
      this.#acceptedBytes = accepted;
      this.#progressAt = now;
    }
    return now - this.#progressAt;
  }
}

/** How many bytes the system has accepted for sending. */
function acceptedBytes(socket: Socket): number {
  const { _handle: handle } = socket as { _handle?: Partial<StreamHandle> | null };
  const { bytesWritten, writeQueueSize } = handle ?? {};
  if (bytesWritten === undefined || writeQueueSize === undefined) {
    return socket.bytesWritten - socket.writableLength;
  }
  return bytesWritten - writeQueueSize;
}
