/**
 * Whether a client takes what it is sent. A stream says so only when a whole write has been taken, which for a large
 * one and a slow client is far between; the handle under the socket knows of every byte.
 */
import type { Socket } from "node:net";

/** What node's handles of sockets have and its types do not. */
interface StreamHandle {
  /** Bytes handed to the handle so far. */
  readonly bytesWritten: number;
  /** Those of them that the system has not taken yet. */
  readonly writeQueueSize: number;
}

export class WriteProgress {
  readonly #socket: Socket;
  #taken = 0;
  #progressAt: number;

  /** @param now milliseconds of the clock that `stoodStill` is asked by */
  constructor(socket: Socket, now: number) {
    this.#socket = socket;
    this.#progressAt = now;
  }

  /** Returns how long the client has taken nothing, in milliseconds; 0 while nothing waits for it. Call it often. */
  stoodStill(now: number): number {
    const socket = this.#socket;
    const taken = takenBy(socket);
    if (socket.writableLength === 0 || taken !== this.#taken) {
      this.#taken = taken;
      this.#progressAt = now;
    }
    return now - this.#progressAt;
  }
}

function takenBy(socket: Socket): number {
  const { _handle: handle } = socket as { _handle?: Partial<StreamHandle> | null };
  const { bytesWritten, writeQueueSize } = handle ?? {};
  if (bytesWritten === undefined || writeQueueSize === undefined) {
    return socket.bytesWritten - socket.writableLength;
  }
  return bytesWritten - writeQueueSize;
}
