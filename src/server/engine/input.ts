/**
 * The receiving side of one connection. Input that arrives ahead of its turn is held, up to a limit; beyond the limit,
 * and while a reader of content has enough, the channel is paused and the client waits.
 */
import type { AsyncResource } from "node:async_hooks";
import type { Channel } from "../channel/channel.ts";

/** The consumer of the bytes. */
export interface InputReader {
  /** True while a message may arrive. Bytes after the last message are discarded. */
  readonly accepting: boolean;
  /** True if the next bytes must be held for now. */
  readonly blocked: boolean;
  /** Reads bytes, which are valid only during the call, until `blocked`. Returns how many need not be held. */
  read(bytes: Buffer): number;
  /** All held bytes have been read, and the client will send no more. */
  inputEnded(): void;
}

/** Bytes held while a request is being handled, before the channel is paused. */
const MAX_HELD_BYTES = 65536;

export class Input {
  readonly #channel: Channel;
  readonly #reader: InputReader;
  readonly #scope: AsyncResource;
  #held: Buffer | undefined;
  #isReading = false;
  /** The channel is paused. */
  #paused = false;
  #halted = false;
  #ended = false;

  /** @param scope the async scope of whatever belongs to no request */
  constructor(channel: Channel, reader: InputReader, scope: AsyncResource) {
    this.#channel = channel;
    this.#reader = reader;
    this.#scope = scope;
  }

  get hasHeld(): boolean {
    return this.#held !== undefined;
  }

  /** True within `InputReader.read`. */
  get isReading(): boolean {
    return this.#isReading;
  }

  /** True once the client has closed its sending side. */
  get ended(): boolean {
    return this.#ended;
  }

  /** True between `halt` and `unhalt`. */
  get halted(): boolean {
    return this.#halted;
  }

  /** True while nothing is read from the channel. */
  get paused(): boolean {
    return this.#paused;
  }

  /** True if `advance` has something to do. */
  get waits(): boolean {
    return this.#held !== undefined || this.#paused || this.#ended;
  }

  /** Reads or holds bytes, which are valid only during the call. Returns false if the channel must be paused. */
  receive(bytes: Buffer): boolean {
    const open = this.#held !== undefined || this.#reader.blocked ? this.#hold(bytes, 0) : this.#read(bytes);
    if (!open) this.#paused = true;
    return open;
  }

  #read(bytes: Buffer): boolean {
    this.#isReading = true;
    try {
      const consumed = this.#reader.read(bytes);
      return consumed === bytes.length || this.#hold(bytes, consumed);
    } finally {
      this.#isReading = false;
    }
  }

  #hold(bytes: Buffer, from: number): boolean {
    const rest = bytes.subarray(from);
    // Copy: the next read overwrites the buffer.
    this.#held = this.#held === undefined ? Buffer.from(rest) : Buffer.concat([this.#held, rest]);
    return this.#held.length <= MAX_HELD_BYTES;
  }

  /** Reads held bytes until the reader is blocked, and resumes the channel once none is left. */
  advance(): void {
    if (this.#isReading) return;
    const reader = this.#reader;
    while (this.#held !== undefined && reader.accepting && !reader.blocked) {
      const held = this.#held;
      this.#held = undefined;
      // The current scope is that of the request just answered; the held bytes may be another request.
      this.#scope.runInAsyncScope(this.#read, this, held);
    }
    if (this.#held !== undefined || !reader.accepting) return;
    if (this.#ended) reader.inputEnded();
    else this.resume();
  }

  /** Resumes the channel, unless halted. */
  resume(): void {
    if (!this.#paused || this.#halted) return;
    this.#paused = false;
    this.#channel.resume();
  }

  /** Pauses the channel until `unhalt`: the reader of the content has enough. */
  halt(): void {
    this.#halted = true;
    this.#paused = true;
    this.#channel.pause();
  }

  /** The reader has room again. Call `resume` or `advance` to continue. */
  unhalt(): void {
    this.#halted = false;
  }

  /** The client has closed its sending side. Held bytes are still read. */
  end(): void {
    this.#ended = true;
  }

  /** Returns the held bytes and forgets them, and ends a halt. */
  drop(): Buffer | undefined {
    const held = this.#held;
    this.#held = undefined;
    this.#halted = false;
    return held;
  }
}
