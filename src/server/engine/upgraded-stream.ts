/**
 * A connection that an app has taken over, as a raw duplex. The socket's reads go through the server's
 * shared buffer, so bytes are copied here into pieces of their own.
 */
import { AsyncResource } from "node:async_hooks";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";

export class UpgradedStream extends Duplex {
  readonly #socket: Socket;
  #ended = false;
  /** Called with the first bytes that are written. */
  onFirstWrite: ((bytes: Uint8Array) => void) | undefined;
  /** Where the app has taken the connection over: what it hears of it, it hears there. */
  readonly #scope = new AsyncResource("TSGUN_UPGRADE");

  constructor(socket: Socket, first: Uint8Array | undefined) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    if (first !== undefined && first.length > 0) this.push(first);
    // A client that resets the connection must not end the worker of an app that does not listen.
    this.on("error", () => {});
    socket.on("close", () => {
      // When both sides have ended well, this one closes once its reader has come to the end.
      if (!this.#ended || !this.writableFinished) this.#scope.runInAsyncScope(this.destroy, this);
    });
    socket.on("error", (error) => this.#scope.runInAsyncScope(this.destroy, this, error));
    socket.on("timeout", () => this.#scope.runInAsyncScope(this.emit, this, "timeout"));
  }

  /** Takes bytes that have arrived; false when the reader is slower than they come. */
  receive(bytes: Uint8Array): boolean {
    return this.#scope.runInAsyncScope(this.push, this, Buffer.from(bytes));
  }

  /** True while its reader has enough, and nothing more is read. */
  get behind(): boolean {
    return this.readableLength >= this.readableHighWaterMark;
  }

  /** The other side has ended. */
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
