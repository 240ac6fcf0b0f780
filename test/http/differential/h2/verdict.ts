/** The verdict of the reference reader on a session of HTTP/2, and what it is made of. */
import type { RequestLimits } from "../../../../src/http/head-limit.ts";
import type { SeenRequest } from "../socket-lane.ts";
import type { ReadHead } from "./rules.ts";

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
  /** It is malformed, but in a way in which nghttp2 may leave out what is wrong. */
  mayBeRefused: boolean;
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

export const DEFAULT_WINDOW = 65_535;

export interface OpenStream extends StreamVerdict {
  phase: "open" | "ended" | "gone";
  head: ReadHead | undefined;
  body: string;
  window: number;
}

/** A stream that is closed. */
export function gone(): OpenStream {
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
    mayBeRefused: false,
  };
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
export class SessionError extends Error {
  readonly codes: readonly number[];

  constructor(...codes: number[]) {
    super(`GOAWAY ${codes}`);
    this.codes = [...codes, ...OTHERS];
  }
}

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}
