/**
 * The receiving side of one connection. What comes before its time is held, up to a bound; beyond it, and while a
 * reader has enough, the socket is paused and the client waits.
 */
import type { AsyncResource } from "node:async_hooks";
import type { Socket } from "node:net";

/** Who looks at the bytes. */
export interface InputReader {
  /** There is a message to come: what comes behind the last one is nobody's. */
  readonly accepting: boolean;
  /** The bytes that come next are not to be looked at yet. */
  readonly blocked: boolean;
  /** Looks at bytes, which are valid during the call only, as long as it may; returns how many need not be held. */
  look(bytes: Buffer): number;
  /** Nothing is held any more, and the client will send nothing more. */
  inputEnded(): void;
}

/** Unread input held while a request is being answered; beyond it the socket is paused. */
const HELD_MAX = 65536;

export class Input {
  readonly #socket: Socket;
  readonly #reader: InputReader;
  readonly #scope: AsyncResource;
  #held: Buffer | undefined;
  #looking = false;
  /** The socket is paused, so `resume` has something to do: asking it each time would cost a tick. */
  #paused = false;
  #halted = false;
  #ended = false;

  /** @param scope the async scope of what belongs to no request */
  constructor(socket: Socket, reader: InputReader, scope: AsyncResource) {
    this.#socket = socket;
    this.#reader = reader;
    this.#scope = scope;
  }

  /** True when bytes wait to be looked at. */
  get holds(): boolean {
    return this.#held !== undefined;
  }

  /** True while `look` runs. */
  get looking(): boolean {
    return this.#looking;
  }

  /** True when the client will send nothing more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** True when somebody has enough for now. */
  get halted(): boolean {
    return this.#halted;
  }

  /** True when nothing is read from the socket. */
  get paused(): boolean {
    return this.#paused;
  }

  /** True when `advance` may have something to do. */
  get waits(): boolean {
    return this.#held !== undefined || this.#paused || this.#ended;
  }

  /** Takes bytes that are valid during the call only. False when the socket should be paused. */
  receive(bytes: Buffer): boolean {
    const open = this.#held !== undefined || this.#reader.blocked ? this.#hold(bytes, 0) : this.#look(bytes);
    if (!open) this.#paused = true;
    return open;
  }

  #look(bytes: Buffer): boolean {
    this.#looking = true;
    try {
      const taken = this.#reader.look(bytes);
      return taken === bytes.length || this.#hold(bytes, taken);
    } finally {
      this.#looking = false;
    }
  }

  #hold(bytes: Buffer, from: number): boolean {
    const rest = bytes.subarray(from);
    // A copy: the bytes lie in a buffer that the next read overwrites.
    this.#held = this.#held === undefined ? Buffer.from(rest) : Buffer.concat([this.#held, rest]);
    return this.#held.length <= HELD_MAX;
  }

  /** Has what was held looked at, now that it may be, and more sent. */
  advance(): void {
    if (this.#looking) return;
    const reader = this.#reader;
    while (this.#held !== undefined && reader.accepting && !reader.blocked) {
      const held = this.#held;
      this.#held = undefined;
      // What is held may be a request, and an earlier one's answer has brought us here.
      this.#scope.runInAsyncScope(this.#look, this, held);
    }
    if (this.#held !== undefined || !reader.accepting) return;
    if (this.#ended) reader.inputEnded();
    else this.resume();
  }

  /** Lets the client send again, unless somebody has enough. */
  resume(): void {
    if (!this.#paused || this.#halted) return;
    this.#paused = false;
    this.#socket.resume();
  }

  /** Somebody has enough for now. */
  halt(): void {
    this.#halted = true;
    this.#paused = true;
    this.#socket.pause();
  }

  /** The reader has room again. Call `resume` or `advance` to continue. */
  unhalt(): void {
    this.#halted = false;
  }

  /** The client will send nothing more. What is held is still to be looked at. */
  end(): void {
    this.#ended = true;
  }

  /** Gives up what is held, and no longer waits for anybody. */
  drop(): Buffer | undefined {
    const held = this.#held;
    this.#held = undefined;
    this.#halted = false;
    return held;
  }
}
