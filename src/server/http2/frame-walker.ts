/**
 * Follows the frames of one direction of an HTTP/2 connection (RFC 9113 section 4.1) without reading their content: what
 * a session costs shows in the kinds and sizes of its frames. The bytes may be split anywhere. It does no I/O, and gives
 * no verdict on the protocol: that is node:http2's.
 */

/** Frame types (RFC 9113 section 6, RFC 9218 section 7.1). */
export const FrameType = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
  priorityUpdate: 16,
} as const;

export const END_STREAM = 0x1;
/** The flag of SETTINGS and PING. */
export const ACK = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;

/** The first bytes of a client (RFC 9113 section 3.4). */
export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Called for each frame as soon as its kind is known. The same object comes every time. */
export type FrameListener = (frame: Frame) => void;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  /** Bytes of its payload. */
  readonly length: number;
  /** The error code of RST_STREAM and GOAWAY, the pad length of padded DATA; 0 for other frames. */
  readonly value: number;
}

const HEAD_BYTES = 9;
const CODE_BYTES = 4;
/** The last stream, and the code. */
const GOAWAY_BYTES = 8;

export class FrameWalker {
  readonly #listener: FrameListener;
  readonly #head = new Uint8Array(HEAD_BYTES + GOAWAY_BYTES);
  readonly #frame = { type: 0, flags: 0, streamId: 0, length: 0, value: 0 };
  #filled = 0;
  #hasBegun = false;
  #needed = HEAD_BYTES;
  /** Bytes that belong to no head. */
  #skipped: number;

  /** @param preface bytes before the first frame */
  constructor(listener: FrameListener, preface = 0) {
    this.#listener = listener;
    this.#skipped = preface;
  }

  /** Whether a frame has been seen. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Whether another frame may begin here. */
  get betweenFrames(): boolean {
    return this.#skipped === 0 && this.#filled === 0;
  }

  walk(bytes: Uint8Array): void {
    const head = this.#head;
    const end = bytes.length;
    let at = 0;
    while (at < end) {
      if (this.#skipped > 0) {
        const skipped = Math.min(this.#skipped, end - at);
        this.#skipped -= skipped;
        at += skipped;
        continue;
      }
      while (this.#filled < this.#needed && at < end) {
        head[this.#filled] = bytes[at] as number;
        this.#filled += 1;
        at += 1;
      }
      if (this.#filled === this.#needed) this.#headFilled();
    }
  }

  #headFilled(): void {
    const head = this.#head;
    const frame = this.#frame;
    if (this.#filled === HEAD_BYTES) {
      frame.length = ((head[0] as number) << 16) | ((head[1] as number) << 8) | (head[2] as number);
      frame.type = head[3] as number;
      frame.flags = head[4] as number;
      frame.streamId = numberAt(head, 5) & 0x7fff_ffff;
      frame.value = 0;
      const more = valueBytes(frame);
      if (more > 0) {
        this.#needed = HEAD_BYTES + more;
        return;
      }
    } else if (frame.type === FrameType.data) {
      frame.value = head[HEAD_BYTES] as number;
    } else {
      frame.value = numberAt(head, this.#filled - CODE_BYTES) >>> 0;
    }
    this.#skipped = frame.length - (this.#filled - HEAD_BYTES);
    this.#filled = 0;
    this.#needed = HEAD_BYTES;
    this.#hasBegun = true;
    this.#listener(frame);
  }
}

/** A frame that ends a session (RFC 9113 section 6.8). @param lastStream the last one that may have been handled */
export function goawayFrame(lastStream: number, code: number): Uint8Array {
  const bytes = Buffer.alloc(HEAD_BYTES + GOAWAY_BYTES);
  bytes.writeUIntBE(GOAWAY_BYTES, 0, 3);
  bytes[3] = FrameType.goaway;
  bytes.writeUInt32BE(lastStream, HEAD_BYTES);
  bytes.writeUInt32BE(code, HEAD_BYTES + CODE_BYTES);
  return bytes;
}

function numberAt(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16);
  return high | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
}

/** Bytes of the payload that hold the frame's value. */
function valueBytes({ type, flags, length }: Frame): number {
  if (type === FrameType.reset) return length >= CODE_BYTES ? CODE_BYTES : 0;
  if (type === FrameType.goaway) return length >= GOAWAY_BYTES ? GOAWAY_BYTES : 0;
  return type === FrameType.data && (flags & PADDED) !== 0 && length > 0 ? 1 : 0;
}
