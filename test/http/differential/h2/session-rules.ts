/** The rules for the frames that concern a session, and those that only end, slow or weigh a stream (RFC 9113 section 6). */
import { DEFAULT_WINDOW, ErrorCode, type Frame, gone, type OpenStream, SessionError } from "./verdict.ts";

export const MAX_FRAME = 16_384;
export const LARGEST_WINDOW = 2 ** 31 - 1;
/** A client with a smaller window may never get its response. */
const AMPLE_WINDOW = 16_384;

export class SessionRules {
  readonly streams = new Map<number, OpenStream>();
  readonly mayEnd = new Set<number>();
  /** The last stream that the client has opened. */
  protected highest = 0;
  protected initialWindow = DEFAULT_WINDOW;
  #isAcknowledged = false;
  #isLeaving = false;
  /** Bytes that the client has allowed the server to send. */
  #given = DEFAULT_WINDOW;

  /** Whether the client may go without an answer to what it begins now. */
  protected get mayLeaveOpen(): boolean {
    return this.#isLeaving || this.initialWindow < AMPLE_WINDOW;
  }

  /** Section 5.1: an endpoint may not use those that the client has not opened. */
  protected known(id: number): OpenStream | undefined {
    if (id === 0 || id % 2 === 0 || id > this.highest) throw new SessionError(ErrorCode.protocol);
    return this.streams.get(id);
  }

  protected mayEndFor(id: number): void {
    this.mayEnd.add(ErrorCode.protocol);
    const stream = this.streams.get(id) ?? gone();
    stream.isFree = true;
    stream.isDue = false;
    this.streams.set(id, stream);
  }

  /** Section 6.3. An error of the stream only, but nghttp2 ends the session. */
  priority({ stream: id, payload }: Frame): void {
    // nghttp2 does not read it where the client has said that it means nothing (RFC 9218 section 2.1).
    if (id === 0) this.mayEnd.add(ErrorCode.protocol);
    if (payload.length !== 5) this.mayEnd.add(ErrorCode.frameSize);
    else if ((payload.readUInt32BE(0) & LARGEST_WINDOW) === id) this.mayEndFor(id);
  }

  /** Section 6.4. */
  reset({ stream: id, payload }: Frame): void {
    if (id === 0) throw new SessionError(ErrorCode.protocol);
    if (payload.length !== 4) throw new SessionError(ErrorCode.frameSize);
    const stream = this.known(id);
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
      // An answer that nobody has asked for ends the session in node:http2, which the RFC leaves open.
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
    const change = value - this.initialWindow;
    this.initialWindow = value;
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
      // Only the server knows what it has sent, and taken off the window.
      this.#given += increment;
      if (this.#given > LARGEST_WINDOW) this.mayEnd.add(ErrorCode.flowControl).add(ErrorCode.protocol);
      return;
    }
    const stream = this.known(id);
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

  /** A frame has begun and does not end: its beginning may be an error already. */
  cutOff(id: number): void {
    for (let code = 0; code <= ErrorCode.calm; code += 1) this.mayEnd.add(code);
    if (!this.streams.has(id)) this.streams.set(id, { ...gone(), isFree: true });
  }

  /** The connection goes no further. What was complete before may have reached the app, or not. */
  freeAll(): void {
    for (const stream of this.streams.values()) this.#mayWait(stream);
  }
}
