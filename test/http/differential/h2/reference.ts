/**
 * A reference reader of the frames of an HTTP/2 client (RFC 9113 sections 4 to 8), for tests: for each stream what the app
 * must see, or in which ways it may be refused, and whether the session has to end. It shares no code with the server.
 *
 * Where the RFC leaves a choice, or the answer depends on whether a stream has been closed by then, it allows all of them.
 */
import type { RequestLimits } from "../../../../src/http/head-limit.ts";
import type { SeenRequest } from "../socket-lane.ts";
import { CompressionError, type Field, FieldDecoder } from "./hpack.ts";
import { listSize, MALFORMED, type ReadHead, readHead, readTrailers } from "./rules.ts";

export const ErrorCode = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  streamClosed: 5,
  frameSize: 6,
  refused: 7,
  compression: 9,
  calm: 11,
} as const;

export interface StreamVerdict {
  /** The request that the app may see. */
  request: SeenRequest | undefined;
  /** Whether the client must get a response, or a refusal in its place. */
  isDue: boolean;
  /** Statuses with which it may be refused. */
  readonly statuses: Set<number>;
  /** Codes with which it may be reset. */
  readonly resets: Set<number>;
  /** Whatever happens to it is right, but for an app that sees another request. */
  isFree: boolean;
}

export interface Verdict {
  readonly streams: ReadonlyMap<number, StreamVerdict>;
  /** Codes of GOAWAY of which one must end the session. */
  readonly ends: readonly number[] | undefined;
  /** Codes of GOAWAY that may end the session all the same. */
  readonly mayEnd: ReadonlySet<number>;
  /** The ways in which nghttp2 reads what it has to refuse. */
  readonly lenience: ReadonlySet<string>;
}

export interface ReferenceLimits {
  readonly head: RequestLimits;
  /** Bytes of a header list, and of a header block. */
  readonly list: number;
  /** CONTINUATION frames of one header block. */
  readonly continuations: number;
}

const MAX_FRAME = 16_384;
const LARGEST_WINDOW = 2 ** 31 - 1;
const DEFAULT_WINDOW = 65_535;
/** A client with a smaller window may never get its response. */
const AMPLE_WINDOW = 16_384;

interface OpenStream extends StreamVerdict {
  phase: "open" | "ended" | "gone";
  head: ReadHead | undefined;
  body: string;
  window: number;
}

/** For a frame with two faults, or for what has arrived behind it: budgets are applied to that before it is read. */
const OTHERS = [
  ErrorCode.protocol,
  ErrorCode.internal,
  ErrorCode.frameSize,
  ErrorCode.compression,
  ErrorCode.calm,
] as const;

/** The session has to end with one of these codes. node:http2 says INTERNAL_ERROR for many; docs/http2.md says so. */
class SessionError extends Error {
  readonly codes: readonly number[];

  constructor(...codes: number[]) {
    super(`GOAWAY ${codes}`);
    this.codes = [...codes, ...OTHERS];
  }
}

interface Block {
  readonly stream: number;
  readonly endsStream: boolean;
  fragments: Buffer[];
}

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

class Reference {
  readonly streams = new Map<number, OpenStream>();
  readonly mayEnd = new Set<number>();
  readonly lenience = new Set<string>();
  readonly #limits: ReferenceLimits;
  readonly #decoder = new FieldDecoder();
  #highest = 0;
  #block: Block | undefined;
  #isFirst = true;
  #isAcknowledged = false;
  #isLeaving = false;
  #initialWindow = DEFAULT_WINDOW;

  constructor(limits: ReferenceLimits) {
    this.#limits = limits;
  }

  /** @throws SessionError */
  frame(frame: Frame): void {
    const { type, stream, payload } = frame;
    // Section 3.4.
    if (this.#isFirst && (type !== 4 || (frame.flags & 1) !== 0)) throw new SessionError(ErrorCode.protocol);
    this.#isFirst = false;
    // Section 6.10: a block is not interrupted.
    if (this.#block !== undefined && (type !== 9 || stream !== this.#block.stream))
      throw new SessionError(ErrorCode.protocol, ErrorCode.compression);
    const read = READERS[type];
    if (read !== undefined) this[read](frame);
    // Section 5.5: the others are ignored. RFC 9218 section 7.1 has some rules for PRIORITY_UPDATE.
    else if (type === 16 && (stream !== 0 || payload.length < 4))
      this.mayEnd.add(ErrorCode.protocol).add(ErrorCode.frameSize);
  }

  // ---- streams

  /** Section 5.1: an endpoint may not use those that the client has not opened. */
  #known(id: number): OpenStream | undefined {
    if (id === 0 || id % 2 === 0 || id > this.#highest) throw new SessionError(ErrorCode.protocol);
    return this.streams.get(id);
  }

  /** A frame on a stream on which no more may come. */
  #late(id: number): void {
    this.mayEnd.add(ErrorCode.streamClosed).add(ErrorCode.protocol);
    const stream = this.streams.get(id);
    if (stream === undefined) this.streams.set(id, gone());
    else stream.resets.add(ErrorCode.streamClosed);
  }

  #refuse(stream: OpenStream, statuses: Iterable<number>, resets: Iterable<number>): void {
    stream.request = undefined;
    stream.isDue = !stream.isFree;
    for (const status of statuses) stream.statuses.add(status);
    for (const code of resets) stream.resets.add(code);
  }

  #end(stream: OpenStream, trailers: SeenRequest["trailers"]): void {
    stream.phase = "ended";
    const { head } = stream;
    if (head === undefined || stream.statuses.size + stream.resets.size > 0) return;
    if (head.isTunnel) return;
    // Section 8.1.1.
    if (head.method !== "CONNECT" && head.declared !== undefined && head.declared !== stream.body.length) {
      this.#refuse(stream, [MALFORMED], [ErrorCode.protocol]);
      return;
    }
    const { method, target, headers } = head;
    stream.request = { method, target, httpVersion: "2.0" as "1.1", headers, body: stream.body, trailers };
    stream.isDue = !stream.isFree;
  }

  // ---- frames

  /** Section 6.1. */
  data({ flags, stream: id, payload }: Frame): void {
    const stream = this.#known(id);
    if (stream === undefined || stream.phase !== "open") {
      this.#late(id);
      return;
    }
    const content = this.#content(flags, payload, stream);
    if (content === undefined) return;
    stream.body += content.toString("latin1");
    const { head } = stream;
    if (head?.declared !== undefined && stream.body.length > head.declared && head.method !== "CONNECT")
      this.#refuse(stream, [MALFORMED], [ErrorCode.protocol]);
    if ((flags & 1) !== 0) this.#end(stream, []);
  }

  /** Of a stream that has been refused the frames are ignored, and their errors may be. */
  #content(flags: number, payload: Buffer, { statuses, resets }: StreamVerdict): Buffer | undefined {
    try {
      return unpadded(flags, payload);
    } catch (error) {
      if (!(error instanceof SessionError) || statuses.size + resets.size === 0) throw error;
      for (const code of error.codes) this.mayEnd.add(code);
      return undefined;
    }
  }

  /** Section 6.2. */
  headers({ flags, stream: id, payload }: Frame): void {
    if (id === 0 || id % 2 === 0) throw new SessionError(ErrorCode.protocol);
    let fragment = unpadded(flags, payload);
    if ((flags & 0x20) !== 0) {
      if (fragment.length < 5) throw new SessionError(ErrorCode.frameSize, ErrorCode.protocol);
      // RFC 7540 section 5.3.1, of which RFC 9113 has only the frames.
      if ((fragment.readUInt32BE(0) & LARGEST_WINDOW) === id) this.#mayEndFor(id);
      fragment = fragment.subarray(5);
    }
    this.#block = { stream: id, endsStream: (flags & 1) !== 0, fragments: [] };
    this.#fragment(flags, fragment);
  }

  #mayEndFor(id: number): void {
    this.mayEnd.add(ErrorCode.protocol);
    const stream = this.streams.get(id) ?? gone();
    stream.isFree = true;
    stream.isDue = false;
    this.streams.set(id, stream);
  }

  /** Section 6.10. */
  continuation({ flags, payload }: Frame): void {
    if (this.#block === undefined) throw new SessionError(ErrorCode.protocol);
    this.#fragment(flags, payload);
  }

  #fragment(flags: number, fragment: Buffer): void {
    const block = this.#block as Block;
    block.fragments.push(fragment);
    const bytes = block.fragments.reduce((sum, { length }) => sum + length, 0);
    if (bytes > this.#limits.list || block.fragments.length > this.#limits.continuations + 1)
      throw new SessionError(ErrorCode.calm, ErrorCode.protocol, ErrorCode.compression);
    if ((flags & 4) === 0) return;
    this.#blockIsComplete(block);
    this.#block = undefined;
  }

  #blockIsComplete({ stream: id, endsStream, fragments }: Block): void {
    // Section 4.3: also a block that is ignored is decoded.
    const fields = this.#decode(Buffer.concat(fragments));
    if (id > this.#highest) {
      this.#highest = id;
      this.#open(id, fields, endsStream);
      return;
    }
    const stream = this.streams.get(id);
    if (stream === undefined || stream.phase !== "open") this.#late(id);
    else this.#trailers(stream, fields, endsStream);
  }

  #decode(block: Buffer): Field[] {
    try {
      return this.#decoder.decode(block);
    } catch (error) {
      if (error instanceof CompressionError) throw new SessionError(ErrorCode.compression);
      throw error;
    }
  }

  #open(id: number, fields: Field[], ends: boolean): void {
    const isFree =
      this.#isLeaving || this.streams.get(id)?.isFree === true || this.#initialWindow < AMPLE_WINDOW;
    const stream: OpenStream = { ...gone(), phase: "open", isFree, window: this.#initialWindow };
    this.streams.set(id, stream);
    const head = readHead(fields, this.#limits.head, ends);
    stream.head = head;
    if (listSize(fields) > this.#limits.list) {
      // Section 10.5.1. Others of its faults may be noticed first.
      this.#refuse(stream, [...head.refusals, 431], [ErrorCode.calm, ErrorCode.protocol]);
    } else if (head.refusals.size > 0) {
      this.#refuse(stream, head.refusals, head.refusals.has(MALFORMED) ? [ErrorCode.protocol] : []);
    } else if (head.dropped) this.lenience.add("field dropped");
    if (head.isTunnel) {
      stream.isFree = true;
      stream.isDue = false;
    }
    if (ends) this.#end(stream, []);
  }

  #trailers(stream: OpenStream, fields: Field[], ends: boolean): void {
    const { refusals, dropped, trailers } = readTrailers(fields, this.#limits.head);
    const isMalformed = refusals.size > 0 || !ends;
    if (listSize(fields) > this.#limits.list)
      this.#refuse(stream, [...refusals, 431], [ErrorCode.calm, ErrorCode.protocol]);
    // Section 8.1: trailers end the stream.
    else if (isMalformed)
      this.#refuse(stream, [...refusals, ...(ends ? [] : [MALFORMED])], [ErrorCode.protocol]);
    else if (dropped) this.lenience.add("trailer dropped");
    if (ends) this.#end(stream, trailers);
  }

  /** Section 6.3. An error of the stream only, but nghttp2 ends the session. */
  priority({ stream: id, payload }: Frame): void {
    // nghttp2 does not read it where the client has said that it means nothing (RFC 9218 section 2.1).
    if (id === 0) this.mayEnd.add(ErrorCode.protocol);
    if (payload.length !== 5) this.mayEnd.add(ErrorCode.frameSize);
    else if ((payload.readUInt32BE(0) & LARGEST_WINDOW) === id) this.#mayEndFor(id);
  }

  /** Section 6.4. */
  reset({ stream: id, payload }: Frame): void {
    if (id === 0) throw new SessionError(ErrorCode.protocol);
    if (payload.length !== 4) throw new SessionError(ErrorCode.frameSize);
    const stream = this.#known(id);
    if (stream === undefined) return;
    stream.phase = "gone";
    stream.isFree = true;
    stream.isDue = false;
  }

  /** Section 6.5. */
  settings({ flags, stream, payload }: Frame): void {
    if (stream !== 0) throw new SessionError(ErrorCode.protocol);
    if ((flags & 1) !== 0) {
      if (payload.length > 0) throw new SessionError(ErrorCode.frameSize);
      // What nobody has asked for ends the session in node:http2, which the RFC leaves open.
      if (this.#isAcknowledged) this.mayEnd.add(ErrorCode.protocol);
      this.#isAcknowledged = true;
      return;
    }
    if (payload.length % 6 !== 0) throw new SessionError(ErrorCode.frameSize);
    for (let at = 0; at < payload.length; at += 6)
      this.#setting(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
  }

  #setting(id: number, value: number): void {
    const isSwitch = id === 2 || id === 8 || id === 9;
    if (isSwitch && value > 1) throw new SessionError(ErrorCode.protocol);
    // RFC 8441 section 3 and RFC 9218 section 2.1: neither may change later.
    if (id === 8 || id === 9) this.mayEnd.add(ErrorCode.protocol);
    if (id === 4 && value > LARGEST_WINDOW) throw new SessionError(ErrorCode.flowControl, ErrorCode.protocol);
    if (id === 5 && (value < MAX_FRAME || value > 2 ** 24 - 1)) throw new SessionError(ErrorCode.protocol);
    if (id !== 4) return;
    const change = value - this.#initialWindow;
    this.#initialWindow = value;
    for (const stream of this.streams.values()) {
      stream.window += change;
      // Section 6.9.2.
      if (stream.window > LARGEST_WINDOW) this.mayEnd.add(ErrorCode.flowControl).add(ErrorCode.protocol);
      if (value < AMPLE_WINDOW) this.#mayWait(stream);
    }
  }

  #mayWait(stream: OpenStream): void {
    stream.isFree = true;
    stream.isDue = false;
  }

  /** Section 6.6: clients do not push. */
  push(): void {
    throw new SessionError(ErrorCode.protocol);
  }

  /** Section 6.7. */
  ping({ flags, stream, payload }: Frame): void {
    if (stream !== 0) throw new SessionError(ErrorCode.protocol);
    if (payload.length !== 8) throw new SessionError(ErrorCode.frameSize);
    if ((flags & 1) !== 0) this.mayEnd.add(ErrorCode.protocol);
  }

  /** Section 6.8. A client that leaves may still open streams, but no server needs to answer them. */
  goaway({ stream, payload }: Frame): void {
    if (stream !== 0) throw new SessionError(ErrorCode.protocol);
    if (payload.length < 8) throw new SessionError(ErrorCode.frameSize);
    this.#isLeaving = true;
    for (let code = 0; code <= ErrorCode.calm; code += 1) this.mayEnd.add(code);
    for (const open of this.streams.values()) this.#mayWait(open);
  }

  /** Section 6.9. */
  windowUpdate({ stream: id, payload }: Frame): void {
    if (payload.length !== 4) throw new SessionError(ErrorCode.frameSize);
    const increment = payload.readUInt32BE(0) & LARGEST_WINDOW;
    if (id === 0) {
      if (increment === 0) throw new SessionError(ErrorCode.protocol);
      // What the server has sent, and taken off the window, only it knows.
      this.#given += increment;
      if (this.#given > LARGEST_WINDOW) this.mayEnd.add(ErrorCode.flowControl).add(ErrorCode.protocol);
      return;
    }
    const stream = this.#known(id);
    // An error of the stream, but nghttp2 ends the session.
    if (increment === 0) this.mayEnd.add(ErrorCode.protocol);
    if (stream === undefined) return;
    if (increment === 0) {
      stream.resets.add(ErrorCode.protocol);
      stream.isFree = true;
    }
    stream.window += increment;
    // An error of the stream. From a Node on that counts such frames as an attack it is one of the session.
    if (stream.window > LARGEST_WINDOW) {
      this.mayEnd.add(ErrorCode.flowControl).add(ErrorCode.protocol);
      stream.resets.add(ErrorCode.flowControl);
      stream.isFree = true;
    }
  }

  #given = DEFAULT_WINDOW;

  /** A frame has begun and does not end: its beginning may be an error already. */
  cutOff(id: number): void {
    for (let code = 0; code <= ErrorCode.calm; code += 1) this.mayEnd.add(code);
    if (!this.streams.has(id)) this.streams.set(id, { ...gone(), isFree: true });
  }

  /** A stream whose head is not complete: a field of it may be refused already. */
  end(): void {
    const id = this.#block?.stream;
    if (id !== undefined && !this.streams.has(id)) this.streams.set(id, { ...gone(), isFree: true });
  }

  /** The connection goes no further. What was complete before may have reached the app, or not. */
  freeAll(): void {
    for (const stream of this.streams.values()) this.#mayWait(stream);
  }
}

const READERS: { readonly [type: number]: keyof { [Key in Reader]: unknown } } = {
  0: "data",
  1: "headers",
  2: "priority",
  3: "reset",
  4: "settings",
  5: "push",
  6: "ping",
  7: "goaway",
  8: "windowUpdate",
  9: "continuation",
};
type Reader =
  | "data"
  | "headers"
  | "priority"
  | "reset"
  | "settings"
  | "push"
  | "ping"
  | "goaway"
  | "windowUpdate"
  | "continuation";

function gone(): OpenStream {
  return {
    phase: "gone",
    head: undefined,
    body: "",
    window: DEFAULT_WINDOW,
    request: undefined,
    isDue: false,
    statuses: new Set(),
    resets: new Set(),
    isFree: false,
  };
}

/** Section 6.1: padding that is as long as the payload is an error. */
function unpadded(flags: number, payload: Buffer): Buffer {
  if ((flags & 8) === 0) return payload;
  if (payload.length === 0) throw new SessionError(ErrorCode.frameSize, ErrorCode.protocol);
  const padding = payload[0] as number;
  if (padding >= payload.length) throw new SessionError(ErrorCode.protocol, ErrorCode.frameSize);
  return payload.subarray(1, payload.length - padding);
}

/** @param bytes behind the preface */
export function readFrames(bytes: Buffer, limits: ReferenceLimits): Verdict {
  const reference = new Reference(limits);
  const { streams, mayEnd, lenience } = reference;
  try {
    for (let at = 0; at + 9 <= bytes.length; ) {
      const length = bytes.readUIntBE(at, 3);
      // Section 4.2.
      if (length > MAX_FRAME) throw new SessionError(ErrorCode.frameSize, ErrorCode.protocol);
      if (at + 9 + length > bytes.length) {
        reference.cutOff(bytes.readUInt32BE(at + 5) & LARGEST_WINDOW);
        break;
      }
      const stream = bytes.readUInt32BE(at + 5) & LARGEST_WINDOW;
      const payload = bytes.subarray(at + 9, at + 9 + length);
      reference.frame({ type: bytes[at + 3] as number, flags: bytes[at + 4] as number, stream, payload });
      at += 9 + length;
    }
  } catch (error) {
    if (!(error instanceof SessionError)) throw error;
    reference.end();
    reference.freeAll();
    return { streams, ends: error.codes, mayEnd, lenience };
  }
  reference.end();
  if (mayEnd.size > 0) {
    mayEnd.add(ErrorCode.internal);
    reference.freeAll();
  }
  return { streams, ends: undefined, mayEnd, lenience };
}
