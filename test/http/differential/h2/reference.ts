/**
 * A reference reader of the frames of an HTTP/2 client (RFC 9113 sections 4 to 8), for tests: for each stream what the app
 * must see, or in which ways it may be refused, and whether the session has to end. It shares no code with the server.
 *
 * Where the RFC leaves a choice, or the answer depends on whether a stream has been closed by then, it allows all of them.
 */
import type { SeenRequest } from "../socket-lane.ts";
import { CompressionError, type Field, FieldDecoder } from "./hpack.ts";
import { listSize, MALFORMED, readHead, readTrailers } from "./rules.ts";
import { LARGEST_WINDOW, MAX_FRAME, SessionRules } from "./session-rules.ts";
import {
  ErrorCode,
  type Frame,
  gone,
  type OpenStream,
  type ReferenceLimits,
  SessionError,
  type StreamVerdict,
  type Verdict,
} from "./verdict.ts";

interface Block {
  readonly stream: number;
  readonly endsStream: boolean;
  fragments: Buffer[];
}

class Reference extends SessionRules {
  readonly lenience = new Set<string>();
  readonly #limits: ReferenceLimits;
  readonly #decoder = new FieldDecoder();
  #block: Block | undefined;
  #isFirst = true;

  constructor(limits: ReferenceLimits) {
    super();
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
    const stream = this.known(id);
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

  /** Frames of a stream that has been refused are ignored, and their errors may be. */
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
      if ((fragment.readUInt32BE(0) & LARGEST_WINDOW) === id) this.mayEndFor(id);
      fragment = fragment.subarray(5);
    }
    this.#block = { stream: id, endsStream: (flags & 1) !== 0, fragments: [] };
    this.#fragment(flags, fragment);
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
    const known = this.streams.get(id);
    const isNew = id > this.highest;
    if (!isNew && known?.phase !== "open") this.#late(id);
    // Section 4.3: also a block that is ignored is decoded.
    const fields = this.#decode(Buffer.concat(fragments));
    if (isNew) {
      this.highest = id;
      this.#open(id, fields, endsStream);
    } else if (known?.phase === "open") this.#trailers(known, fields, endsStream);
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
    const isFree = this.mayLeaveOpen || this.streams.get(id)?.isFree === true;
    const stream: OpenStream = { ...gone(), phase: "open", isFree, window: this.initialWindow };
    this.streams.set(id, stream);
    const head = readHead(fields, this.#limits.head, ends);
    stream.head = head;
    if (listSize(fields) > this.#limits.list) {
      // Section 10.5.1. Others of its faults may be noticed first.
      this.#refuse(stream, [...head.refusals, 431], [ErrorCode.calm, ErrorCode.protocol]);
    } else if (head.refusals.size > 0) {
      this.#refuse(stream, head.refusals, head.refusals.has(MALFORMED) ? [ErrorCode.protocol] : []);
    } else if (head.dropped) {
      this.lenience.add("field dropped");
      stream.mayBeRefused = true;
    }
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
    else if (dropped) {
      this.lenience.add("trailer dropped");
      stream.mayBeRefused = true;
    }
    if (ends) this.#end(stream, trailers);
  }

  /** A stream whose head is not complete: a field of it may be refused already. */
  end(): void {
    const id = this.#block?.stream;
    if (id !== undefined && !this.streams.has(id)) this.streams.set(id, { ...gone(), isFree: true });
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
      // Section 4.2. nghttp2 reads a CONTINUATION as it arrives, up to the limits of its block.
      if (length > MAX_FRAME && bytes[at + 3] === 9) {
        reference.cutOff(bytes.readUInt32BE(at + 5) & LARGEST_WINDOW);
        break;
      }
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
