/**
 * The sending side of one connection. Text written while input is being read is gathered and sent in one write, so that
 * a response costs one system call and pipelined responses share one. So are small pieces of a stream, until the current
 * operation has ended (`process.nextTick`, as in Node's own server) or enough has come together.
 */
import type { Socket } from "node:net";
import { ClientGone } from "../../errors.ts";

/** Gathered text is sent early beyond this number of characters. */
const MAX_GATHERED = 65536;

/** Pieces are sent together up to about this number of characters. */
const MAX_GATHERED_PIECES = 4096;

/** Pieces up to this number of bytes are gathered: a system call costs more than to copy them. */
const MAX_SMALL_PIECE = 2048;

/**
 * Pieces sent in a row before other connections get a turn of the event loop. A large one, which is written by itself,
 * counts twice.
 */
const MAX_PIECES_IN_A_ROW = 128;
const LARGE_PIECE = 2;

export class Output {
  readonly #socket: Socket;
  readonly #onDrain: () => void;
  #text = "";
  #gathering = false;
  /** True while `#sendSoon` is due. */
  #scheduled = false;
  #writable: Promise<void> | undefined;
  #piecesInARow = 0;
  readonly #stallMs: number;
  /** True while the socket's timer watches a client that is behind. */
  #watching = false;

  /**
   * @param stallMs time in which a client must read something, or the connection is destroyed
   * @param onDrain called when a client that was behind has read everything
   */
  constructor(socket: Socket, stallMs: number, onDrain: () => void) {
    this.#socket = socket;
    this.#stallMs = stallMs;
    this.#onDrain = onDrain;
    // Once: `setTimeout` with a callback would add a listener at every stall.
    socket.on("timeout", this.#onStall);
  }

  readonly #onStall = (): void => {
    this.#socket.destroy();
  };

  /** Releases the socket to an app, which has timeouts of its own. */
  release(): void {
    this.flush();
    this.#socket.off("timeout", this.#onStall);
    this.#socket.off("drain", this.#onCaughtUp);
    this.#socket.setTimeout(0);
  }

  /** True while the system has not taken all that was sent. */
  get pending(): boolean {
    return this.#text !== "" || this.#socket.writableLength > 0;
  }

  /**
   * Call behind a piece. Returns true if the caller should await `whenWritable`: for the client, or for other connections.
   */
  endPiece(): boolean {
    return this.#socket.writableNeedDrain || this.#piecesInARow >= MAX_PIECES_IN_A_ROW;
  }

  /** Call when the socket has been read: that is a new turn, so whatever was sent before is no row with what follows. */
  beginTurn(): void {
    this.#piecesInARow = 0;
  }

  /** True while the client is so far behind that no more responses should be made for it. */
  get behind(): boolean {
    if (this.#text.length > MAX_GATHERED) this.#send();
    return this.#watching;
  }

  /** Holds text back until `flush`. */
  gather(): void {
    this.#gathering = true;
  }

  flush(): void {
    this.#gathering = false;
    this.#send();
  }

  /** Sends what has been gathered, even while input is being read. */
  sendNow(): void {
    this.#send();
  }

  readonly #sendSoon = (): void => {
    this.#scheduled = false;
    if (this.#socket.destroyed) this.#text = "";
    else if (!this.#gathering) this.#send();
  };

  #send(): void {
    if (this.#text === "") return;
    const text = this.#text;
    this.#text = "";
    this.#watchUnless(this.#socket.write(text, "latin1"));
  }

  /** Starts the socket's timer if the client is behind. Nothing else shows progress within one large write. */
  #watchUnless(drained: boolean): void {
    if (drained || this.#watching) return;
    this.#watching = true;
    this.#socket.setTimeout(this.#stallMs);
    this.#socket.once("drain", this.#onCaughtUp);
  }

  /** Starts the timer for pending bytes that are too few for a "drain" event. */
  watchPending(): void {
    this.#send();
    if (this.#watching) return;
    this.#watching = true;
    this.#socket.setTimeout(this.#stallMs);
    // Its callback comes after everything ahead of it.
    this.#socket.write("", this.#onCaughtUp);
  }

  readonly #onCaughtUp = (): void => {
    this.#watching = false;
    this.#socket.setTimeout(0);
    this.#onDrain();
  };

  /** Sends what is pending and closes the sending side. Calls `sent` when the system has taken everything. */
  end(sent: () => void): void {
    this.flush();
    this.#socket.end(sent);
    this.#watchUnless(!this.pending);
  }

  /** Sends Latin-1 text. */
  writeText(text: string): void {
    this.#text += text;
    if (!this.#gathering) this.#send();
  }

  /** Sends a head with all of its content. */
  writeMessage(head: string, content: string | Uint8Array): void {
    if (content.length === 0) {
      this.writeText(head);
    } else if (typeof content === "string" && Buffer.byteLength(content) === content.length) {
      // ASCII: the same bytes in Latin-1 as in UTF-8.
      this.writeText(head + content);
    } else {
      this.#socket.cork();
      this.#text += head;
      this.#send();
      this.#watchUnless(this.#socket.write(content));
      this.#socket.uncork();
    }
  }

  /** Sends text of a stream together with what follows in the same operation. */
  #addText(text: string): void {
    this.#piecesInARow += 1;
    this.#text += text;
    if (this.#gathering) return;
    if (this.#text.length >= MAX_GATHERED_PIECES) this.#send();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      process.nextTick(this.#sendSoon);
    }
  }

  /** Sends the head of a stream. */
  writeHead(head: string): void {
    this.#addText(head);
  }

  /** Sends a piece of content as it is. */
  writePiece(piece: string | Uint8Array): void {
    const text = smallText(piece);
    if (text !== undefined) {
      this.#addText(text);
      return;
    }
    this.#piecesInARow += LARGE_PIECE;
    this.#send();
    this.#watchUnless(this.#socket.write(piece));
  }

  /** Sends a piece of content as one chunk (RFC 9112 section 7.1). */
  writeChunk(piece: string | Uint8Array): void {
    const text = smallText(piece);
    if (text !== undefined) {
      this.#addText(sizeLine(text.length) + text + CRLF);
      return;
    }
    this.#piecesInARow += LARGE_PIECE;
    const size = typeof piece === "string" ? Buffer.byteLength(piece) : piece.length;
    const line = `${size.toString(16)}\r\n`;
    if (size === piece.length && typeof piece === "string") {
      this.writeText(`${line}${piece}\r\n`);
      return;
    }
    this.#socket.cork();
    this.#text += line;
    this.#send();
    this.#socket.write(piece);
    this.#watchUnless(this.#socket.write("\r\n", "latin1"));
    this.#socket.uncork();
  }

  /** Resolves when the client has caught up, in a later turn of the event loop; rejects with `ClientGone`. */
  whenWritable(): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed) return Promise.reject(new ClientGone());
    this.#piecesInARow = 0;
    // A promise alone would occupy the loop until the source ends or the system's buffers are full.
    if (!socket.writableNeedDrain) return new Promise((resolve) => setImmediate(resolve));
    this.#writable ??= new Promise<void>((resolve, reject) => {
      const settle = (): void => {
        socket.off("drain", settle);
        socket.off("close", settle);
        this.#writable = undefined;
        if (socket.destroyed) reject(new ClientGone());
        else resolve();
      };
      socket.on("drain", settle);
      socket.on("close", settle);
    });
    return this.#writable;
  }
}

const CRLF = "\r\n";

/** The first lines of small chunks: to write a number in hexadecimal costs more than the rest of the chunk. */
const sizeLines: (string | undefined)[] = new Array(MAX_SMALL_PIECE + 1).fill(undefined);

function sizeLine(size: number): string {
  sizeLines[size] ??= size.toString(16) + CRLF;
  return sizeLines[size] as string;
}

/** The bytes of a small piece as Latin-1 text; undefined for a large one. */
function smallText(piece: string | Uint8Array): string | undefined {
  if (piece.length > MAX_SMALL_PIECE) return undefined;
  if (typeof piece === "string")
    return Buffer.byteLength(piece) === piece.length ? piece : Buffer.from(piece).toString("latin1");
  return latin1Slice.call(piece, 0, piece.length);
}

/** Works on any bytes; to make a Buffer of a piece first would cost several times as much as the rest. */
const { latin1Slice } = Buffer.prototype as unknown as {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
};
