/**
 * A connection that was handed over to an app, as a raw duplex stream. The socket reads into the server's shared
 * buffer, so the bytes are copied here.
 */
import { AsyncResource } from "node:async_hooks";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";

export class UpgradedStream extends Duplex {
  readonly #socket: Socket;
  #ended = false;
  /** Called once, with the first bytes that the app writes. */
  onFirstWrite: ((bytes: Uint8Array) => void) | undefined;
  /** The scope in which the app took the connection over: its listeners run there. */
  readonly #scope = new AsyncResource("TSGUN_UPGRADE");

  constructor(socket: Socket, first: Uint8Array | undefined) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    if (first !== undefined && first.length > 0) this.push(first);
    // A reset by the client must not crash the worker of an app without an error listener.
    this.on("error", () => {});
    socket.on("close", () => {
      // If both sides ended properly, the stream closes by itself once it is read to the end.
      if (!this.#ended || !this.writableFinished) this.#scope.runInAsyncScope(this.destroy, this);
    });
    socket.on("error", (error) => this.#scope.runInAsyncScope(this.destroy, this, error));
    socket.on("timeout", () => this.#scope.runInAsyncScope(this.emit, this, "timeout"));
  }

  /** Pushes received bytes. Returns false if the socket must be paused. */
  receive(bytes: Uint8Array): boolean {
    return this.#scope.runInAsyncScope(this.push, this, Buffer.from(bytes));
  }

  /** True while the buffer is full and the socket paused. */
  get isFull(): boolean {
    return this.readableLength >= this.readableHighWaterMark;
  }

  /** The client has closed its sending side. */
  receiveEnd(): void {
    this.#ended = true;
    this.#scope.runInAsyncScope(this.push, this, null);
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.onFirstWrite?.(chunk);
    this.onFirstWrite = undefined;
    this.#socket.write(chunk, done);
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.#socket.remotePort;
  }

  setTimeout(milliseconds: number, listener?: () => void): this {
    if (listener !== undefined) this.once("timeout", listener);
    this.#socket.setTimeout(milliseconds);
    return this;
  }

  setNoDelay(on?: boolean): this {
    this.#socket.setNoDelay(on);
    return this;
  }

  setKeepAlive(on?: boolean, initialDelay?: number): this {
    this.#socket.setKeepAlive(on, initialDelay);
    return this;
  }
}
