/** Frames that are no request's: settings, and what may come between; and all frames with the flaws that they may have. */
import { frame, number, settings, windowUpdate } from "../../../support/http2-frames.ts";
import type { Random } from "../../../support/random.ts";
import { SETTING_FLAWS, SETTINGS } from "./words.ts";

const PADDED = 8;
/** Flags that mean nothing on any frame (RFC 9113 section 4.1). */
const UNUSED_FLAGS = 0x40;

/** The frame as it is, padded if its type may be, or with a flaw of its length, padding or stream. */
export function written(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer,
  random: Random,
  flawed: boolean,
): Buffer {
  const more = random.below(20) === 0 ? UNUSED_FLAGS : 0;
  const isPadded = (type === 0 || type === 1) && (flags & 0x20) === 0 && random.below(8) === 0;
  if (flawed) return random.pick(FLAWS)(type, flags, stream, payload);
  if (!isPadded) return frame(type, flags | more, stream, payload);
  const padding = random.pick([0, 1, 17, 255]);
  return frame(
    type,
    flags | more | PADDED,
    stream,
    Buffer.concat([Buffer.from([padding]), payload, Buffer.alloc(padding)]),
  );
}

type Flaw = (type: number, flags: number, stream: number, payload: Buffer) => Buffer;

const FLAWS: readonly Flaw[] = [
  // Padding that is as long as the rest, or longer.
  (type, flags, stream, payload) =>
    frame(type, flags | PADDED, stream, Buffer.concat([Buffer.from([payload.length + 1]), payload])),
  (type, flags, stream) => frame(type, flags | PADDED, stream, Buffer.alloc(0)),
  (type, flags, _stream, payload) => frame(type, flags, 0, payload),
  (type, flags, stream, payload) => frame(type, flags, stream + 1, payload),
  // Section 4.1: the reserved bit is ignored.
  (type, flags, stream, payload) => {
    const bytes = frame(type, flags, stream, payload);
    bytes[5] = (bytes[5] as number) | 0x80;
    return bytes;
  },
  // Section 4.2: larger than allowed.
  (type, flags, stream) => frame(type, flags, stream, Buffer.alloc(16_385)),
];

export function settingsFrame(random: Random, flawed: boolean): Buffer {
  const pairs = Array.from({ length: random.below(4) }, () => random.pick(SETTINGS));
  if (flawed) pairs.push(random.pick(SETTING_FLAWS));
  return settings(...(pairs as [number, number][]));
}

const PING = Buffer.from("01234567");

/** A frame that may come between any others. @param next a stream that has not begun */
export function noise(random: Random, flawed: boolean, next: number): Buffer {
  if (flawed) return random.pick(NOISE_FLAWS)(next);
  return random.pick([
    () => frame(6, 0, 0, PING),
    () => settingsFrame(random, false),
    () => windowUpdate(0, 1 + random.below(1000)),
    () => frame(2, 0, random.pick([1, 3, 101]), [0, 0, 0, 0, 16]),
    () => frame(16, 0, 0, [0, 0, 0, 1, 0x75]),
    () => frame(0xbb, random.below(256), random.below(20), [1, 2, 3]),
    () => frame(10, 0, 0, [0, 0]),
  ])();
}

const NOISE_FLAWS: readonly ((next: number) => Buffer)[] = [
  () => frame(6, 0, 1, PING),
  () => frame(6, 1, 0, PING),
  () => frame(4, 1, 0),
  () => frame(6, 0, 0, PING.subarray(1)),
  () => frame(4, 0, 1),
  () => frame(4, 0, 0, [0]),
  () => frame(4, 1, 0, [0, 3, 0, 0, 0, 1]),
  () => windowUpdate(0, 0),
  () => windowUpdate(0, 0x7fff_ffff),
  () => frame(8, 0, 0, [0, 0, 1]),
  (next) => windowUpdate(next + 100, 1),
  (next) => frame(3, 0, next + 100, number(8)),
  () => frame(3, 0, 0, number(8)),
  (next) => frame(0, 1, next + 100, Buffer.from("idle")),
  () => frame(2, 0, 1, [0, 0, 0, 0]),
  () => frame(2, 0, 0, [0, 0, 0, 0, 16]),
  () => frame(5, 4, 1, [0, 0, 0, 2, 0x82, 0x84, 0x86]),
  () => frame(7, 0, 0, Buffer.concat([number(0), number(0)])),
  () => frame(7, 0, 1, Buffer.concat([number(0), number(0)])),
  () => frame(7, 0, 0, number(0)),
  () => frame(9, 4, 1),
  () => frame(16, 0, 1, [0, 0, 0, 1]),
  () => settings([2, 2]),
  () => settings([4, 0x8000_0000]),
  () => settings([5, 1]),
];
