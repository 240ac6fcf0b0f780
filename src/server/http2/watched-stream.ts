/**
 * The connection below an HTTP/2 session: shows each frame to its observer before node:http2 gets it, and when the session
 * ends, reads on for a while, so that no reset overtakes the last frames (GOAWAY says which requests may be repeated).
 *
 * node:http2 reads a socket of its own by itself, so that nothing would see the frames that it answers alone. It takes any
 * other stream too.
 */
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { type HeldInput, ReceiveGuard } from "./receive-guard.ts";

export interface StreamObserver {
  /** The client has sent this. Return false to have it discarded. */
  onReceived(bytes: Uint8Array): boolean;
  /** This is about to be sent. Returns bytes to send behind it. */
  onSent(bytes: Uint8Array): Uint8Array | undefined;
  /** Bytes to send behind everything else. */
  lastWords(): Uint8Array | undefined;
  /** Everything has been passed to the socket, which is only read from now on, until it is destroyed. */
  onLingering(): void;
}

export class WatchedStream extends Duplex implements HeldInput {
  readonly #socket: Socket;
  readonly #observer: StreamObserver;
  #isLingering = false;
  /** Input that has arrived since it is held back. */
  #held: Buffer[] | undefined;
  readonly guard = new ReceiveGuard(this);

  constructor(socket: Socket, observer: StreamObserver) {
    super({ allowHalfOpen: true, emitClose: true });
    this.#socket = socket;
    this.#observer = observer;
    socket.on("data", (bytes: Buffer) => {
      if (this.destroyed || this.readableEnded) return;
      if (!observer.onReceived(bytes) || this.destroyed) return;
      if (this.#held !== undefined) {
        this.#held.push(bytes);
        socket.pause();
      } else if (!this.push(bytes)) socket.pause();
    });
    socket.on("end", () => {
      if (this.#isLingering) socket.destroy();
      else if (!this.destroyed) this.push(null);
    });
    socket.on("error", () => {});
    socket.on("close", () => this.destroy());
  }

  override _read(): void {
    if (!this.#socket.destroyed && this.#held === undefined) this.#socket.resume();
  }

  override emit(event: string | symbol, ...given: unknown[]): boolean {
    if (event !== "data") return super.emit(event, ...given);
    this.guard.begin();
    try {
      return super.emit(event, ...given);
    } finally {
      this.guard.end();
    }
  }

  hold(): void {
    this.#held ??= [];
  }

  release(): void {
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined || this.#isLingering || this.destroyed || this.readableEnded) return;
    for (const bytes of held) this.push(bytes);
    this._read();
  }

  override write(...given: unknown[]): boolean {
    const done = given.at(-1);
    if (typeof done === "function") given[given.length - 1] = this.guard.written(done as () => void);
    return (super.write as (...given: unknown[]) => boolean)(...given);
  }

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    const more = this.#observer.onSent(bytes);
    this.#send(more === undefined ? [bytes] : [bytes, more], done);
  }

  override _writev(pieces: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    const bytes: Uint8Array[] = [];
    for (const { chunk } of pieces) {
      const more = this.#observer.onSent(chunk);
      bytes.push(chunk);
      if (more !== undefined) bytes.push(more);
    }
    this.#send(bytes, done);
  }

  /** Sends bytes of our own. Call it only where what has been sent ends with a frame. */
  insert(bytes: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  #send(pieces: readonly Uint8Array[], done: (error?: Error | null) => void): void {
    const socket = this.#socket;
    if (socket.destroyed || !socket.writable) {
      done(new Error("the connection is closed"));
      return;
    }
    socket.cork();
    for (const piece of pieces) socket.write(piece);
    socket.uncork();
    if (!socket.writableNeedDrain) done();
    else {
      const drained = (): void => {
        socket.off("drain", drained);
        socket.off("close", drained);
        done();
      };
      socket.on("drain", drained);
      socket.on("close", drained);
    }
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#linger();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#linger();
    done(error);
  }

  /** Sends what is pending, ends, and discards what still comes. The observer limits the time. */
  #linger(): void {
    const socket = this.#socket;
    if (this.#isLingering || socket.destroyed) return;
    this.#isLingering = true;
    this.#held = undefined;
    const last = this.#observer.lastWords();
    if (last !== undefined) socket.write(last);
    socket.end();
    if (socket.readableEnded) socket.destroySoon();
    else {
      socket.resume();
      this.#observer.onLingering();
    }
  }
}
