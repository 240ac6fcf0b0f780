/**
 * The sending side of one connection. Text written while input is being read is gathered and sent in one write, so that
 * a response costs one system call and pipelined responses share one. So are small pieces of a stream, until the current
 * operation has ended (`process.nextTick`, as in Node's own server) or enough has come together.
 */
// Imported, since the global is an accessor, which V8 calls at each use.
import { Buffer } from "node:buffer";
import { ClientGone } from "../../errors.ts";
import type { Channel } from "../channel/channel.ts";
import type { SendTimeouts } from "../send-pace.ts";

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
  readonly #channel: Channel;
  #text = "";
  #gathering = false;
  /** True while `#sendSoon` is due. */
  #scheduled = false;
  #sendSoon: (() => void) | undefined;
  #writable: PromiseWithResolvers | undefined;
  #piecesInARow = 0;
  readonly #timeouts: SendTimeouts;
  /** True while the channel watches a client that is behind. */
  #watching = false;

  /** @param timeouts how slowly a client may read before the connection is destroyed */
  constructor(channel: Channel, timeouts: SendTimeouts) {
    this.#channel = channel;
    this.#timeouts = timeouts;
  }

  /** True while the system has not taken all that was sent. */
  get pending(): boolean {
    return this.#text !== "" || this.#channel.pending;
  }

  /**
   * Call behind a piece. Returns true if the caller should await `whenWritable`: for the client, or for other connections.
   */
  endPiece(): boolean {
    return this.#channel.full || this.#piecesInARow >= MAX_PIECES_IN_A_ROW;
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

  #sendLater(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // Made for the first stream: most connections have none.
    this.#sendSoon ??= () => {
      this.#scheduled = false;
      if (this.#channel.destroyed) this.#text = "";
      else if (!this.#gathering) this.#send();
    };
    process.nextTick(this.#sendSoon);
  }

  #send(): void {
    if (this.#text === "") return;
    const text = this.#text;
    this.#text = "";
    this.#channel.writeText(text);
    this.#watchIf(this.#channel.full);
  }

  /** Gives a client that is behind a time to read something. */
  #watchIf(behind: boolean): void {
    if (!behind || this.#watching) return;
    this.#watching = true;
    this.#channel.watch(this.#timeouts);
  }

  /** Does so for any pending bytes. */
  watchPending(): void {
    this.#send();
    this.#watchIf(this.#channel.pending);
  }

  /** A client that was behind has read everything. */
  caughtUp(): void {
    this.#watching = false;
    this.#writable?.resolve();
    this.#writable = undefined;
  }

  /** The connection is closed. */
  closed(): void {
    this.#writable?.reject(new ClientGone());
    this.#writable = undefined;
  }

  /** Sends what is pending and closes the sending side. Calls `sent` when the system has taken everything. */
  end(sent: () => void): void {
    this.flush();
    this.#channel.end(sent);
    this.#watchIf(this.#channel.pending);
  }

  /** Sends what is pending and closes the connection, without waiting for the client's end. */
  close(): void {
    this.flush();
    this.#channel.close();
    this.#watchIf(this.#channel.pending);
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
      this.#writeAround(head, content, "");
    }
  }

  /** Sends a large piece, with what has been gathered before it. */
  #writeAround(before: string, content: string | Uint8Array, after: string): void {
    const gathered = this.#text;
    this.#text = "";
    this.#channel.writeAround(gathered + before, content, after);
    this.#watchIf(this.#channel.full);
  }

  /** Sends text of a stream together with what follows in the same operation. */
  #addText(text: string): void {
    this.#piecesInARow += 1;
    this.#text += text;
    if (this.#gathering) return;
    if (this.#text.length >= MAX_GATHERED_PIECES) this.#send();
    else this.#sendLater();
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
    this.#writeAround("", piece, "");
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
    this.#writeAround(line, piece, "\r\n");
  }

  /** Resolves when the client has caught up, in a later turn of the event loop; rejects with `ClientGone`. */
  whenWritable(): Promise<void> {
    const channel = this.#channel;
    if (channel.destroyed) return Promise.reject(new ClientGone());
    this.#piecesInARow = 0;
    // A promise alone would occupy the loop until the source ends or the system's buffers are full.
    if (!channel.full) return new Promise((resolve) => setImmediate(resolve));
    this.#writable ??= withResolvers();
    return this.#writable.promise;
  }
}

const CRLF = "\r\n";

/** The first lines of small chunks: to write a number in hexadecimal costs more than the rest of the chunk. */
const sizeLines: (string | undefined)[] = new Array(MAX_SMALL_PIECE + 1).fill(undefined);

function sizeLine(size: number): string {
  sizeLines[size] ??= size.toString(16) + CRLF;
  return sizeLines[size] as string;
}

interface PromiseWithResolvers {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(error: Error): void;
}

/** As `Promise.withResolvers`, which Node 20 lacks. */
function withResolvers(): PromiseWithResolvers {
  let resolve: () => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
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
