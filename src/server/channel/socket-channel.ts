/** A channel over a socket: an ordinary one, TLS, or one made around the handle of an accepted connection. */
import { Socket, type SocketConstructorOpts } from "node:net";
import { acceptedBytes } from "../accepted-bytes.ts";
import type { Lateness } from "../content-pace.ts";
import { descriptorOf } from "../descriptor-budget.ts";
import type { SendTimeouts } from "../send-pace.ts";
import { type Channel, type ChannelEvents, READ_BUFFER, readBytes } from "./channel.ts";
import { SendWatch, type WatchedSender } from "./send-watch.ts";

/** Makes a socket around a handle that reads into the common buffer; `onBytes` returns false to pause it. */
export function socketAround(handle: object, onBytes: (bytes: Buffer) => boolean): Socket {
  const onread = { buffer: READ_BUFFER, callback: (size: number) => onBytes(readBytes(size)) };
  // `net.Socket` has a public option for a buffer of one's own, but `net.Server` does not pass it on.
  return new Socket({ handle, allowHalfOpen: true, onread } as unknown as SocketConstructorOpts);
}

/** Makes a socket around such a handle that emits what it reads. The common buffer cannot be taken from a handle any more. */
export function streamAround(handle: object): Socket {
  const socket: Socket = socketAround(handle, (bytes) => socket.push(Buffer.from(bytes)));
  return socket;
}

export class SocketChannel implements Channel, WatchedSender {
  readonly #socket: Socket;
  readonly #emitsBytes: boolean;
  #events: ChannelEvents | undefined;
  #watch: SendWatch | undefined;

  /** Drives an accepted connection through a socket of its own. */
  static around(handle: object): SocketChannel {
    // A channel without an owner is paused: its bytes wait in the kernel.
    const socket = socketAround(handle, (bytes) => channel.#events?.onBytes(bytes) ?? false);
    const channel = new SocketChannel(socket, false);
    return channel;
  }

  /** Drives a socket that emits its bytes, which allows half-open connections. */
  static over(socket: Socket): SocketChannel {
    return new SocketChannel(socket, true);
  }

  private constructor(socket: Socket, emitsBytes: boolean) {
    this.#socket = socket;
    this.#emitsBytes = emitsBytes;
    if (!emitsBytes) return;
    socket.on("data", this.#onData);
    socket.pause();
  }

  readonly #onData = (bytes: Buffer): void => {
    if (this.#events?.onBytes(bytes) !== true) this.#socket.pause();
  };

  start(events: ChannelEvents): void {
    const socket = this.#socket;
    this.#events = events;
    socket.on("end", () => this.#events?.onEnd());
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#watch?.stop();
      this.#events?.onClosed();
    });
    if (this.#emitsBytes) socket.resume();
  }

  passTo(events: ChannelEvents): void {
    this.#events = events;
  }

  get destroyed(): boolean {
    return this.#socket.destroyed;
  }

  get ended(): boolean {
    return this.#socket.writableEnded;
  }

  get descriptor(): number {
    return descriptorOf(this.#socket);
  }

  get pending(): boolean {
    return this.#socket.writableLength > 0;
  }

  get full(): boolean {
    return this.#socket.writableNeedDrain;
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.#socket.remotePort;
  }

  get localAddress(): string | undefined {
    return this.#socket.localAddress;
  }

  get localPort(): number | undefined {
    return this.#socket.localPort;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  writeText(text: string): void {
    if (this.#isOpen) this.#socket.write(text, "latin1");
  }

  writeAround(before: string, content: string | Uint8Array, after: string): void {
    const socket = this.#socket;
    if (!this.#isOpen) return;
    socket.cork();
    if (before !== "") socket.write(before, "latin1");
    socket.write(content);
    if (after !== "") socket.write(after, "latin1");
    socket.uncork();
  }

  /** A write to an ended or destroyed socket would make it an error with a stack. */
  get #isOpen(): boolean {
    return this.#socket.writable;
  }

  watch(timeouts: SendTimeouts): void {
    const socket = this.#socket;
    if (socket.destroyed || this.#watch?.isOn === true) return;
    this.#watch ??= new SendWatch(this, timeouts);
    this.#watch.start();
    if (socket.writableNeedDrain) socket.once("drain", this.#onDrained);
    // The callback comes behind everything that is pending, which may be too little for a "drain" event.
    else if (socket.writable) socket.write("", this.#onDrained);
  }

  readonly #onDrained = (error?: Error | null): void => {
    if (error != null || this.#watch?.isOn !== true) return;
    this.#watch.stop();
    this.#events?.onDrained();
  };

  get lateness(): Lateness | undefined {
    return this.#watch?.lateness;
  }

  get acceptedBytes(): number {
    return acceptedBytes(this.#socket);
  }

  onTooSlow(): void {
    this.#events?.onStalled();
  }

  end(sent: () => void): void {
    if (this.#isOpen) this.#socket.end(sent);
  }

  close(): void {
    this.#socket.destroySoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  reset(): void {
    // A socket of TLS is around the one of TCP.
    const { _parent: inner } = this.#socket as Socket & { _parent?: Socket | null };
    try {
      (inner ?? this.#socket).resetAndDestroy();
    } catch {
      // Only TCP can be reset.
      this.#socket.destroy();
    }
  }

  setKeepAlive(on: boolean, milliseconds: number): void {
    this.#socket.setKeepAlive(on, milliseconds);
  }

  toSocket(): Socket {
    const socket = this.#socket;
    // The app has timeouts of its own.
    this.#watch?.stop();
    socket.off("drain", this.#onDrained);
    // It cannot know that the connection may have inherited the option.
    socket.setNoDelay(true);
    return socket;
  }

  toStream(first: Buffer): Socket {
    const socket = this.#socket;
    if (this.#emitsBytes) {
      this.#events = undefined;
      socket.off("data", this.#onData).pause();
    } else this.#events = new StreamReading(socket);
    if (first.length > 0) socket.unshift(Buffer.from(first));
    return socket;
  }
}

/** Has a socket that reads into the common buffer emit what it reads. */
class StreamReading implements ChannelEvents {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  onBytes(bytes: Buffer): boolean {
    return this.#socket.push(Buffer.from(bytes));
  }

  onEnd(): void {}

  onDrained(): void {}

  onStalled(): void {}

  onClosed(): void {}
}
