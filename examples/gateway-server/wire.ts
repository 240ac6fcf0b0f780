/** The bytes of a connection. */
import type { Socket } from "node:net";
import { Duplex, PassThrough } from "node:stream";
import { failure } from "./errors.ts";

/** A connection holds no more unread bytes than this, and one read (5.3.2). */
const UNREAD_LIMIT = 65_536;
const LINGER_MS = 1000;

/** The bytes of a connection, with a bound on what is unread. */
export class Wire {
  readonly socket: Socket;
  unread: Buffer = Buffer.alloc(0);
  /** The client has closed its side. */
  ended = false;
  closed = false;
  onEnd: () => void = () => {};
  #waiting: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", this.#take);
    socket.on("error", () => {});
    socket.on("end", () => this.#over("ended"));
    socket.on("close", () => this.#over("closed"));
  }

  #take = (bytes: Uint8Array): void => {
    this.unread = this.unread.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.unread, bytes]);
    if (this.unread.length >= UNREAD_LIMIT) this.socket.pause();
    this.#wake();
  };

  #over(how: "ended" | "closed"): void {
    this[how] = true;
    if (how === "closed") this.ended = true;
    this.onEnd();
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Resolves when bytes or the end have come. */
  more(): Promise<void> {
    if (this.ended) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  wake(): void {
    this.#wake();
  }

  shift(length: number): Buffer {
    const bytes = this.unread.subarray(0, length);
    this.unread = this.unread.subarray(length);
    if (this.unread.length < UNREAD_LIMIT && this.socket.isPaused()) this.socket.resume();
    return bytes;
  }

  /** Resolves once the bytes are handed to the system; rejects if the client has gone. */
  write(bytes: string | Uint8Array): Promise<void> {
    const written = new Promise<void>((resolve, reject) => {
      const gone = (): void => reject(failure("ClientGone", "the client has closed the connection"));
      if (this.closed || this.socket.destroyed) return gone();
      this.socket.once("close", gone);
      this.socket.write(bytes as string, "latin1" as BufferEncoding, (error) => {
        this.socket.off("close", gone);
        if (error) gone();
        else resolve();
      });
    });
    written.catch(() => {});
    return written;
  }

  /** Gives the connection away, with what was read too far (9.4). */
  release(): Duplex {
    const { socket, unread, ended } = this;
    socket.off("data", this.#take);
    socket.pause();
    this.onEnd = () => {};
    if (!ended) {
      if (unread.length > 0) socket.unshift(unread);
      return socket;
    }
    const rest = new PassThrough();
    rest.end(unread);
    return Duplex.from({ readable: rest, writable: socket }).on("error", () => {});
  }
}

/** Closes so that the client can read the answer first: unread bytes would make the system reset the connection. */
export async function linger(wire: Wire): Promise<void> {
  wire.socket.end();
  const late = setTimeout(() => wire.socket.destroy(), LINGER_MS);
  while (!wire.ended) {
    wire.shift(wire.unread.length);
    await wire.more();
  }
  clearTimeout(late);
  wire.shift(wire.unread.length);
  if (!wire.socket.writableFinished)
    await new Promise((resolve) => wire.socket.once("close", resolve).once("finish", resolve));
  wire.socket.destroy();
}
