/**
 * A channel over the handle of an accepted connection, without a socket: a stream object with its events costs as much
 * as a small request, and a closed connection needs one each. Only Node's own reading function stands between, since it
 * alone is told the size of a read.
 */
import type { Socket } from "node:net";
import { getDefaultHighWaterMark } from "node:stream";
import type { Lateness } from "../content-pace.ts";
import type { SendTimeouts } from "../send-pace.ts";
import { type Channel, type ChannelEvents, READ_BUFFER, readBytes } from "./channel.ts";
import type { HandleAccess, ShutdownRequest, StreamHandle, WriteRequest } from "./handle-access.ts";
import { LOCAL, REMOTE } from "./handle-addresses.ts";
import { SendWatch, type WatchedSender } from "./send-watch.ts";
import { socketAround, streamAround } from "./socket-channel.ts";

/** As of a socket. */
const FULL_BYTES = getDefaultHighWaterMark(false);

interface ChannelWrite extends WriteRequest {
  channel?: HandleChannel;
}

interface ChannelShutdown extends ShutdownRequest {
  channel?: HandleChannel;
}

export class HandleChannel implements Channel, WatchedSender {
  full = false;
  readonly #handle: StreamHandle;
  #destroyed = false;
  #ended = false;
  #events: ChannelEvents | undefined;
  /** Writes that the system has not taken. */
  #writes = 0;
  #reading = false;
  /** The client has closed its sending side. */
  #readEnd = false;
  /** Our sending side has been closed. */
  #shutDown = false;
  #closing = false;
  #sent: (() => void) | undefined;
  #watch: SendWatch | undefined;
  /** The socket that the connection was handed over to. */
  #socket: Socket | undefined;

  constructor(handle: StreamHandle) {
    this.#handle = handle;
  }

  start(events: ChannelEvents): void {
    const handle = this.#handle;
    this.#events = events;
    (handle as unknown as Record<symbol, unknown>)[access.symbols.owner] = this;
    handle.onread = access.onRead;
    handle.useUserBuffer(READ_BUFFER);
    this.resume();
  }

  passTo(events: ChannelEvents): void {
    this.#events = events;
  }

  get destroyed(): boolean {
    return this.#socket === undefined ? this.#destroyed : this.#socket.destroyed;
  }

  get ended(): boolean {
    return this.#socket === undefined ? this.#ended : this.#socket.writableEnded;
  }

  // ---- called by Node's reading function, under its names

  /** A read of `size` bytes. Returns false to pause. */
  onRead(size: number): boolean {
    const events = this.#events as ChannelEvents;
    if (events.onBytes(readBytes(size))) return true;
    if (this.#socket !== undefined) {
      this.#socket.pause();
      return true;
    }
    this.#reading = false;
    return false;
  }

  /** Only `null` is pushed, at the client's end. */
  push(): void {
    if (this.#readEnd) return;
    this.#readEnd = true;
    this.#reading = false;
    (this.#events as ChannelEvents).onEnd();
    this.#closeIfEnded();
  }

  read(): void {}

  onActivity(): void {}

  // ---- reading

  pause(): void {
    if (this.#socket !== undefined) this.#socket.pause();
    else if (this.#reading) {
      this.#reading = false;
      this.#handle.readStop();
    }
  }

  resume(): void {
    if (this.#socket !== undefined) this.#socket.resume();
    else if (!this.#reading && !this.#readEnd && !this.#destroyed) {
      this.#reading = true;
      if (this.#handle.readStart() !== 0) this.destroy();
    }
  }

  // ---- writing

  get pending(): boolean {
    return this.#writes > 0;
  }

  writeText(text: string): void {
    if (this.#ended) return;
    const write = newWrite();
    this.#wrote(write, this.#handle.writeLatin1String(write, text), text);
  }

  writeAround(before: string, content: string | Uint8Array, after: string): void {
    if (this.#ended) return;
    const pieces = [before, "latin1", content, typeof content === "string" ? "utf8" : "buffer"];
    if (after !== "") pieces.push(after, "latin1");
    const write = newWrite();
    this.#wrote(write, this.#handle.writev(write, pieces, false), pieces);
  }

  #wrote(given: ChannelWrite | null, result: number | WriteRequest, data: unknown): void {
    let write: ChannelWrite;
    if (typeof result !== "number") write = result;
    else if (result !== 0) {
      spareWrite = undefined;
      this.destroy();
      return;
    } else {
      // Taken at once: the usual case.
      if (given === null || given.getAsyncId() < 0) return;
      write = given;
      spareWrite = undefined;
    }
    write.channel = this;
    write.buffer = data;
    write.oncomplete = onWritten;
    this.#writes += 1;
    if (this.#handle.writeQueueSize >= FULL_BYTES) this.full = true;
  }

  /** The system has taken all of a write, or failed. */
  onWritten(status: number): void {
    this.#writes -= 1;
    if (this.destroyed) return;
    if (status < 0) this.destroy();
    else if (this.#writes === 0) this.#drained();
  }

  #drained(): void {
    const waits = this.full || this.#watch?.isOn === true;
    this.full = false;
    this.#watch?.stop();
    if (this.#socket !== undefined) return;
    if (this.#closing) this.destroy();
    else if (waits) (this.#events as ChannelEvents).onDrained();
  }

  watch(timeouts: SendTimeouts): void {
    if (this.#writes === 0 || this.#destroyed) return;
    this.#watch ??= new SendWatch(this, timeouts);
    this.#watch.start();
  }

  get lateness(): Lateness | undefined {
    return this.#watch?.lateness;
  }

  get acceptedBytes(): number {
    return this.#handle.bytesWritten - this.#handle.writeQueueSize;
  }

  onTooSlow(): void {
    this.#events?.onStalled();
  }

  // ---- closing

  end(sent: () => void): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#sent = sent;
    const shutdown: ChannelShutdown = new access.ShutdownRequest();
    shutdown.channel = this;
    shutdown.oncomplete = onShutDown;
    // Otherwise the client has gone, and there is nothing to shut down.
    if (this.#handle.shutdown(shutdown) !== 0) this.destroy();
  }

  onShutDown(): void {
    this.#shutDown = true;
    if (this.destroyed) return;
    this.#sent?.();
    this.#closeIfEnded();
  }

  #closeIfEnded(): void {
    if (this.#readEnd && this.#shutDown && this.#socket === undefined) this.destroy();
  }

  close(): void {
    this.#ended = true;
    if (this.#writes > 0) this.#closing = true;
    else this.destroy();
  }

  destroy(): void {
    if (this.#socket !== undefined) this.#socket.destroy();
    else if (this.#markDestroyed()) this.#handle.close(onHandleClosed);
  }

  reset(): void {
    if (!this.#markDestroyed()) return;
    // Unix sockets cannot be reset.
    if (this.#handle.reset?.(onHandleClosed) !== 0) this.#handle.close(onHandleClosed);
  }

  /** Returns false if it has been destroyed before. */
  #markDestroyed(): boolean {
    if (this.#destroyed) return false;
    this.#destroyed = true;
    this.#ended = true;
    this.#watch?.stop();
    return true;
  }

  onHandleClosed(): void {
    this.#events?.onClosed();
  }

  // ---- the connection

  get descriptor(): number {
    return this.destroyed ? -1 : this.#handle.fd;
  }

  get remoteAddress(): string | undefined {
    return this.destroyed ? undefined : REMOTE.of(this.#handle).address;
  }

  get remotePort(): number | undefined {
    return this.destroyed ? undefined : REMOTE.of(this.#handle).port;
  }

  get localAddress(): string | undefined {
    return this.destroyed ? undefined : LOCAL.of(this.#handle).address;
  }

  get localPort(): number | undefined {
    return this.destroyed ? undefined : LOCAL.of(this.#handle).port;
  }

  setKeepAlive(on: boolean, milliseconds: number): void {
    if (!this.destroyed) this.#handle.setKeepAlive?.(on, Math.floor(milliseconds / 1000));
  }

  toSocket(): Socket {
    const events = this.#events as ChannelEvents;
    this.#watch?.stop();
    // The socket starts to read, which fails on a handle that does.
    if (this.#reading) this.#handle.readStop();
    const socket = socketAround(this.#handle, (bytes) => events.onBytes(bytes));
    this.#socket = socket;
    socket.on("end", () => {
      if (!this.#readEnd) events.onEnd();
    });
    socket.on("error", () => {});
    socket.on("close", () => events.onClosed());
    // It cannot know that the connection has it.
    socket.setNoDelay(true);
    return socket;
  }

  toStream(first: Buffer): Socket {
    this.#events = undefined;
    // As in `toSocket`.
    if (this.#reading) this.#handle.readStop();
    const socket = streamAround(this.#handle);
    this.#socket = socket;
    socket.setNoDelay(true);
    if (first.length > 0) socket.unshift(Buffer.from(first));
    return socket;
  }
}

// Shared: a closure for each connection would be garbage.

function onWritten(this: ChannelWrite, status: number): void {
  this.channel?.onWritten(status);
}

function onShutDown(this: ChannelShutdown): void {
  this.channel?.onShutDown();
}

function onHandleClosed(this: StreamHandle): void {
  const owner = (this as unknown as Record<symbol, HandleChannel | undefined>)[access.symbols.owner];
  owner?.onHandleClosed();
}

/** Used by the next write, and kept while writes are taken at once; for Nodes that want one. */
let spareWrite: ChannelWrite | undefined;

function newWrite(): ChannelWrite | null {
  const { WriteRequest } = access;
  if (WriteRequest === undefined) return null;
  spareWrite ??= new WriteRequest();
  return spareWrite;
}

let access: HandleAccess;

/** Teaches channels how this Node's handles are used. */
export function useHandles(found: HandleAccess): void {
  access = found;
  const { updateTimer, buffer, bufferCallback, bufferGenerator } = found.symbols;
  const { onActivity, onRead } = HandleChannel.prototype;
  // Defined once, not for each connection.
  Object.assign(HandleChannel.prototype, {
    [updateTimer]: onActivity,
    [buffer]: READ_BUFFER,
    [bufferCallback]: onRead,
    [bufferGenerator]: null,
    // Node's reading function asks whether the end has been read.
    _readableState: { endEmitted: false },
  });
}
