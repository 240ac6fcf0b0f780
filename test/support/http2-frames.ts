/** A client of HTTP/2 that sends frames as they are given, and sees those that come back (RFC 9113 section 4.1). */
import type { Socket } from "node:net";
import { Arrivals } from "../../src/conformance/arrivals.ts";
import { type Frame, FrameWalker, PREFACE } from "../../src/server/http2/frame-walker.ts";

const DEADLINE_MS = 20_000;

export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array | number[] = [],
): Buffer {
  const content = Buffer.from(payload);
  const head = Buffer.alloc(9);
  head.writeUIntBE(content.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, content]);
}

export const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};

/** A field as HPACK writes it without an index (RFC 7541 section 6.2.2). */
export function field(name: string, value: string): Buffer {
  const text = (word: string): Buffer => Buffer.concat([length(word.length), Buffer.from(word, "latin1")]);
  return Buffer.concat([Buffer.from([0]), text(name), text(value)]);
}

function length(size: number): Buffer {
  if (size < 127) return Buffer.from([size]);
  const bytes = [127];
  let rest = size - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

/** GET http://a/ as a header block. */
export const GET = Buffer.from([0x82, 0x84, 0x86, 0x41, 1, 0x61]);
export const POST = Buffer.from([0x83, 0x84, 0x86, 0x41, 1, 0x61]);
export const request = (streamId: number, block: Uint8Array = GET, flags = 5): Buffer =>
  frame(1, flags, streamId, block);
export const settings = (...pairs: [id: number, value: number][]): Buffer =>
  frame(
    4,
    0,
    0,
    Buffer.concat(pairs.map(([id, value]) => Buffer.concat([Buffer.from([0, id]), number(value)]))),
  );
export const reset = (streamId: number, code = 8): Buffer => frame(3, 0, streamId, number(code));
export const windowUpdate = (streamId: number, increment: number): Buffer =>
  frame(8, 0, streamId, number(increment));

export class FrameClient {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  /** True once the other side has ended or broken the connection. */
  ended = false;
  /** The error code of a GOAWAY that is no NO_ERROR; undefined before. */
  goaway: number | undefined;
  readonly #arrivals = new Arrivals();

  constructor(socket: Socket, first: Uint8Array = settings()) {
    this.socket = socket;
    const walker = new FrameWalker((seen) => this.frames.push({ ...seen }));
    let all = Buffer.alloc(0);
    socket.on("data", (bytes: Buffer) => {
      walker.walk(bytes);
      all = Buffer.concat([all, bytes]);
      this.#readGoaway(all);
      this.#arrivals.notify();
    });
    socket.on("error", () => {});
    for (const event of ["end", "close"])
      socket.on(event, () => {
        this.ended = true;
        this.#arrivals.notify();
      });
    this.send(PREFACE, first);
  }

  #readGoaway(all: Buffer): void {
    for (let at = 0; at + 9 <= all.length; at += 9 + all.readUIntBE(at, 3)) {
      if (all[at + 3] === 7 && at + 17 <= all.length) {
        const code = all.readUInt32BE(at + 13);
        if (code !== 0) this.goaway = code;
      }
    }
  }

  send(...frames: Uint8Array[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(frames));
  }

  async until(holds: () => boolean, what: string): Promise<void> {
    await this.#arrivals.until(() => holds() || this.ended, DEADLINE_MS);
    if (!holds())
      throw new Error(
        `waited in vain for ${what}; ended: ${this.ended}; ${JSON.stringify(this.frames.slice(-10))}`,
      );
  }

  /** Waits for the first frame of the kind. */
  async frame(type: number, streamId?: number): Promise<Frame> {
    const isIt = (seen: Frame): boolean =>
      seen.type === type && (streamId ?? seen.streamId) === seen.streamId;
    await this.until(() => this.frames.some(isIt), `a frame ${type} of stream ${streamId}`);
    return this.frames.find(isIt) as Frame;
  }
}
