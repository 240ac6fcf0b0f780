/**
 * The sending side of one connection. Text written while input is being read is gathered and leaves in
 * one write, so that an answer is one system call and pipelined answers share one.
 */
import type { Socket } from "node:net";
import { ClientGone } from "../../errors.ts";

/** Text gathered beyond this many characters is sent before more is made. */
const GATHER_MAX = 65536;

/** Pieces sent at a stretch, before others get their turn of the event loop. */
const STRETCH = 64;

export class Output {
  readonly #socket: Socket;
  readonly #onRoom: () => void;
  #text = "";
  #gathering = false;
  #room: Promise<void> | undefined;
  /** Pieces sent since the loop was last given away. */
  #stretch = 0;
  readonly #stallMs: number;
  #watched = false;

  /**
   * @param stallMs how long a client may take nothing at all of what is sent, before it is given up
   * @param onRoom called when the client has caught up, where it was behind
   */
  constructor(socket: Socket, stallMs: number, onRoom: () => void) {
    this.#socket = socket;
    this.#stallMs = stallMs;
    this.#onRoom = onRoom;
    // Once: `setTimeout` with a callback would add a listener at every stall.
    socket.on("timeout", this.#giveUp);
  }

  readonly #giveUp = (): void => {
    this.#socket.destroy();
  };

  /** Hands the connection to an app, which sends on it with timeouts of its own. */
  release(): void {
    this.flush();
    this.#socket.off("timeout", this.#giveUp);
    this.#socket.off("drain", this.#caughtUp);
    this.#socket.setTimeout(0);
  }

  /** True while bytes wait for the client. */
  get pending(): boolean {
    return this.#socket.writableLength > 0;
  }

  /** Called behind a piece; true when `room` should be awaited: the client is slower, or others have waited. */
  afterPiece(): boolean {
    this.#stretch += 1;
    return this.#socket.writableNeedDrain || this.#stretch >= STRETCH;
  }

  /** True when the client is so far behind that nothing more should be made for it. */
  get behind(): boolean {
    if (this.#text.length > GATHER_MAX) this.#send();
    return this.#watched;
  }

  /** From here to `flush`, text is held back. */
  gather(): void {
    this.#gathering = true;
  }

  flush(): void {
    this.#gathering = false;
    this.#send();
  }

  #send(): void {
    if (this.#text === "") return;
    const text = this.#text;
    this.#text = "";
    this.#watch(this.#socket.write(text, "latin1"));
  }

  /** The socket's own timer knows of progress within one large write, which nothing else shows. */
  #watch(taken: boolean): void {
    if (taken || this.#watched) return;
    this.#watched = true;
    this.#socket.setTimeout(this.#stallMs);
    this.#socket.once("drain", this.#caughtUp);
  }

  /** The client gets its time for what waits, though that is too little for the stream to call it full. */
  watchRest(): void {
    if (this.#watched) return;
    this.#watched = true;
    this.#socket.setTimeout(this.#stallMs);
    // Done when everything ahead of it is.
    this.#socket.write("", this.#caughtUp);
  }

  readonly #caughtUp = (): void => {
    this.#watched = false;
    this.#socket.setTimeout(0);
    this.#onRoom();
  };

  /** Sends what there is and closes our side; `sent` is called when the system has taken everything. */
  end(sent: () => void): void {
    this.flush();
    this.#socket.end(sent);
    this.#watch(!this.pending);
  }

  /** Sends Latin-1 text. */
  text(text: string): void {
    this.#text += text;
    if (!this.#gathering) this.#send();
  }

  /** Sends a head and its whole content. */
  message(head: string, content: string | Uint8Array): void {
    if (content.length === 0) {
      this.text(head);
    } else if (typeof content === "string" && Buffer.byteLength(content) === content.length) {
      // ASCII: the same bytes in Latin-1 as in UTF-8.
      this.text(head + content);
    } else {
      this.#socket.cork();
      this.#text += head;
      this.#send();
      this.#watch(this.#socket.write(content));
      this.#socket.uncork();
    }
  }

  /** Sends a piece of content as it is. */
  piece(chunk: string | Uint8Array): void {
    this.#send();
    this.#watch(this.#socket.write(chunk));
  }

  /** Sends a piece of content as one chunk (RFC 9112 section 7.1). */
  chunk(chunk: string | Uint8Array): void {
    const size = typeof chunk === "string" ? Buffer.byteLength(chunk) : chunk.length;
    const line = `${size.toString(16)}\r\n`;
    if (size === chunk.length && typeof chunk === "string") {
      this.text(`${line}${chunk}\r\n`);
      return;
    }
    this.#socket.cork();
    this.#text += line;
    this.#send();
    this.#socket.write(chunk);
    this.#watch(this.#socket.write("\r\n", "latin1"));
    this.#socket.uncork();
  }

  /** Resolves when the client has caught up, in a later turn of the event loop; rejects with `ClientGone`. */
  room(): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed) return Promise.reject(new ClientGone());
    this.#stretch = 0;
    // Promises alone would keep the loop until the source or the buffers of the system end.
    if (!socket.writableNeedDrain) return new Promise((resolve) => setImmediate(resolve));
    this.#room ??= new Promise<void>((resolve, reject) => {
      const settle = (): void => {
        socket.off("drain", settle);
        socket.off("close", settle);
        this.#room = undefined;
        if (socket.destroyed) reject(new ClientGone());
        else resolve();
      };
      socket.on("drain", settle);
      socket.on("close", settle);
    });
    return this.#room;
  }
}
