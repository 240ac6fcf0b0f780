/**
 * The byte stream of one client connection, as the engine drives it. The contract of both kinds:
 *
 * - Bytes go to `onBytes` from `start` on, and are valid only during the call. A channel is paused by returning false
 *   or by `pause`, and its bytes then wait in the kernel.
 * - Each side may end first. The channel closes itself once both have; `close` does not wait for the client. `onClosed`
 *   is called once, in a later turn, however the connection ended. Nothing is called after it.
 * - An error closes the channel. Nobody hears of it, since nobody can answer.
 * - Writing never blocks, and never fails: what is written to a closed channel is discarded.
 */
import type { Socket } from "node:net";
import type { Lateness } from "../content-pace.ts";
import type { SendTimeouts } from "../send-pace.ts";

/** The events of a channel, handled by its owner. */
export interface ChannelEvents {
  /** Handles received bytes. Returns false to pause. */
  onBytes(bytes: Buffer): boolean;
  /** The client has closed its sending side. */
  onEnd(): void;
  /** The system has taken everything, after the channel was full or watched. */
  onDrained(): void;
  /** The client of a watched channel reads too slowly. */
  onStalled(): void;
  onClosed(): void;
}

export interface Channel {
  /** From the first call of `destroy`, or from an error, on. */
  readonly destroyed: boolean;
  /** True once the sending side has been ended. */
  readonly ended: boolean;
  /** The number of the connection's file descriptor; -1 if it has none. */
  readonly descriptor: number;
  /** True while the system has not taken all that was written. */
  readonly pending: boolean;
  /** True while so much is pending that more should not be written before `onDrained`. */
  readonly full: boolean;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  start(events: ChannelEvents): void;
  /** Gives a started channel another owner. */
  passTo(events: ChannelEvents): void;
  pause(): void;
  resume(): void;
  /** Writes Latin-1 text. */
  writeText(text: string): void;
  /** Writes bytes, or text in UTF-8, between pieces of Latin-1 text, in one system call. Either text may be empty. */
  writeAround(before: string, content: string | Uint8Array, after: string): void;
  /** Calls `onStalled` when the client reads too slowly, and `onDrained` when the system has taken all that is pending. */
  watch(timeouts: SendTimeouts): void;
  /** How late the client of a watched channel is with reading; undefined if it is not watched. */
  readonly lateness: Lateness | undefined;
  /** Ends the sending side behind what is pending. `sent` is called when the system has taken everything. */
  end(sent: () => void): void;
  /** Closes the connection once the system has taken everything. */
  close(): void;
  /** Closes the connection at once. */
  destroy(): void;
  /** Closes a TCP connection at once, so that the client sees an error. */
  reset(): void;
  setKeepAlive(on: boolean, milliseconds: number): void;
  /**
   * Hands the connection over to a socket, for an app. Its events still go to the owner, except `onStalled`; only
   * `pause`, `resume`, `destroy` and the properties of this channel may be used from now on.
   */
  toSocket(): Socket;
  /**
   * Hands the connection over to an ordinary socket that emits its bytes, beginning with `first`, which have been read
   * and are copied. The owner hears nothing more, and the channel must not be used any more.
   */
  toStream(first: Buffer): Socket;
}

/** Accepts what a channel reads, for all of them: a buffer for each read would cost a quarter of a small request. */
export const READ_BUFFER = Buffer.allocUnsafeSlow(65536);

/** The bytes of a read into the common buffer. */
export function readBytes(size: number): Buffer {
  return size === READ_BUFFER.length ? READ_BUFFER : READ_BUFFER.subarray(0, size);
}
