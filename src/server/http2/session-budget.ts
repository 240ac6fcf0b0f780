/**
 * Bounds the cost of one session beyond its requests. Each kind of frame that is cheap to send and costs the
 * server something has a budget: an amount at once, and an amount a second. Well-behaved clients use a small part of them.
 * The floods that each bounds are in docs/http2.md. It does no I/O.
 */
import { ACK, END_HEADERS, END_STREAM, type Frame, FrameType } from "./frame-walker.ts";

/** The kind of frame that there was too much of, for the log. */
export type Excess =
  | "cancelled requests"
  | "stream errors"
  | "SETTINGS frames"
  | "PING frames"
  | "priority frames"
  | "WINDOW_UPDATE frames"
  | "empty frames"
  | "tiny DATA frames"
  | "unknown frames"
  | "CONTINUATION frames"
  | "bytes of one header block";

interface Allowance {
  /** At once. */
  readonly burst: number;
  readonly perSecond: number;
}

/** A browser that leaves a page cancels as many requests as it has streams, at most. */
const ALLOWANCES = {
  "cancelled requests": { burst: 300, perSecond: 30 },
  "stream errors": { burst: 100, perSecond: 10 },
  "SETTINGS frames": { burst: 50, perSecond: 5 },
  "PING frames": { burst: 200, perSecond: 50 },
  "priority frames": { burst: 1000, perSecond: 100 },
  "WINDOW_UPDATE frames": { burst: 2000, perSecond: 500 },
  "empty frames": { burst: 50, perSecond: 5 },
  "tiny DATA frames": { burst: 5000, perSecond: 1000 },
  "unknown frames": { burst: 100, perSecond: 10 },
} as const satisfies { readonly [Kind in Excess]?: Allowance };

type Budgeted = keyof typeof ALLOWANCES;

/** Frames of one header block after the first. */
const MAX_CONTINUATIONS = 8;
/** DATA frames with less content cost more than they carry. */
const TINY_BYTES = 32;
/** WINDOW_UPDATE frames that a client may send for each DATA frame that it gets: for its stream, and the connection. */
const UPDATES_PER_FRAME = 2;

/** Errors that the client causes. The others are this server's: NO_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL. */
const PROVOKED = new Set([1, 3, 5, 6, 9, 11]);

class Bucket {
  readonly #allowance: Allowance;
  #left: number;
  #at: number;

  constructor(allowance: Allowance, now: number) {
    this.#allowance = allowance;
    this.#left = allowance.burst;
    this.#at = now;
  }

  /** False if there is none left. */
  take(now: number): boolean {
    const { burst, perSecond } = this.#allowance;
    this.#left = Math.min(burst, this.#left + ((now - this.#at) * perSecond) / 1000);
    this.#at = now;
    this.#left -= 1;
    return this.#left >= 0;
  }

  give(amount: number): void {
    this.#left = Math.min(this.#allowance.burst, this.#left + amount);
  }
}

export class SessionBudget {
  readonly #maxHeaderBlock: number;
  readonly #buckets: { [Kind in Budgeted]?: Bucket } = {};
  /** Bytes and frames of the header block that is arriving; undefined between blocks. */
  #block: { bytes: number; frames: number } | undefined;

  /** @param maxHeaderBlock bytes of a compressed header block */
  constructor(maxHeaderBlock: number) {
    this.#maxHeaderBlock = maxHeaderBlock;
  }

  /** True while a header block has begun and is not complete. */
  get inHeaderBlock(): boolean {
    return this.#block !== undefined;
  }

  /** The client has sent a frame. @param now in milliseconds @returns what there is too much of, if anything */
  received(frame: Frame, now: number): Excess | undefined {
    const { type, flags, length } = frame;
    switch (type) {
      case FrameType.data:
        return this.#receivedData(frame, now);
      case FrameType.headers:
        this.#block = { bytes: 0, frames: 0 };
        return this.#receivedBlock(flags, length, now);
      case FrameType.continuation:
        return this.#receivedBlock(flags, length, now);
      case FrameType.priority:
      case FrameType.priorityUpdate:
        return this.#spend("priority frames", now);
      case FrameType.reset:
        return this.#spend("cancelled requests", now);
      case FrameType.settings:
        return (flags & ACK) === 0 ? this.#spend("SETTINGS frames", now) : undefined;
      case FrameType.ping:
        return this.#spend("PING frames", now);
      case FrameType.windowUpdate:
        return this.#spend("WINDOW_UPDATE frames", now);
      case FrameType.goaway:
        return undefined;
      default:
        return this.#spend("unknown frames", now);
    }
  }

  #receivedData({ flags, length, value }: Frame, now: number): Excess | undefined {
    if ((flags & END_STREAM) !== 0) return undefined;
    // With padding, its length comes first.
    const content = length - value - (value > 0 ? 1 : 0);
    if (content <= 0) return this.#spend("empty frames", now);
    return content < TINY_BYTES ? this.#spend("tiny DATA frames", now) : undefined;
  }

  #receivedBlock(flags: number, length: number, now: number): Excess | undefined {
    const block = this.#block;
    // A CONTINUATION without HEADERS: node:http2 ends the session.
    if (block === undefined) return undefined;
    block.bytes += length;
    block.frames += 1;
    if ((flags & END_HEADERS) !== 0) this.#block = undefined;
    if (block.bytes > this.#maxHeaderBlock) return "bytes of one header block";
    if (block.frames > MAX_CONTINUATIONS + 1) return "CONTINUATION frames";
    return length === 0 ? this.#spend("empty frames", now) : undefined;
  }

  /** This server has sent a frame. @returns what there is too much of, if anything */
  sent({ type, value }: Frame, now: number): Excess | undefined {
    if (type === FrameType.data) {
      this.#buckets["WINDOW_UPDATE frames"]?.give(UPDATES_PER_FRAME);
      return undefined;
    }
    return type === FrameType.reset && PROVOKED.has(value) ? this.#spend("stream errors", now) : undefined;
  }

  #spend(kind: Budgeted, now: number): Excess | undefined {
    this.#buckets[kind] ??= new Bucket(ALLOWANCES[kind], now);
    return this.#buckets[kind].take(now) ? undefined : kind;
  }
}
