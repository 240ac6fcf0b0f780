/**
 * Keeps sessions and streams from ending while node:http2 reads frames. A reset, which an end comes to, makes it send what is
 * due, and a GOAWAY that is due frees the stream whose head is being read: Node 20.20, and others before mid 2026, go on
 * with that memory (nodejs/node#64113). A client brings it about with a GOAWAY and a HEADERS frame in one packet.
 *
 * node:http2 reads where its stream emits `data`, and what it had put aside where a write of its own is done. Ends that are asked for
 * there come right behind.
 */
import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";

const GUARD = Symbol("tsgun.receiveGuard");

type Ends = { close: End; destroy: End };
type GuardedStream = Omit<ServerHttp2Stream, keyof Ends> & Ends & { [GUARD]?: ReceiveGuard };
type End = (this: GuardedStream, ...given: unknown[]) => unknown;

/** The input of node:http2. */
export interface HeldInput {
  hold(): void;
  /** Passes on what has arrived since. */
  release(): void;
}

export class ReceiveGuard {
  #reads = 0;
  #writes = 0;
  #later: (() => void)[] = [];
  #holds = false;
  readonly #input: HeldInput;

  constructor(input: HeldInput) {
    this.#input = input;
  }

  /** Frames are read from now on, until `end`. */
  readonly begin = (): void => {
    this.#reads += 1;
  };

  readonly end = (): void => {
    this.#reads -= 1;
    if (this.#reads > 0 || this.#later.length === 0) return;
    for (const act of this.#later.splice(0)) act();
  };

  /** Returns the callback of a write, for a stream that node:http2 writes to. It learns of the end in a later turn. */
  written(done: (error?: Error | null) => void): (error?: Error | null) => void {
    this.#writes += 1;
    return (error) => {
      setImmediate(this.begin);
      done(error);
      setImmediate(this.#writeEnded);
    };
  }

  readonly #writeEnded = (): void => {
    this.#writes -= 1;
    if (this.#holds) {
      this.#holds = false;
      this.#input.release();
    }
    this.end();
  };

  guardSession(session: ServerHttp2Session): void {
    const { close, destroy } = session;
    const closeIdle = (callback?: () => void): void => {
      if (session.closed || session.destroyed) return;
      // Input that is put aside while it writes would be read before the GOAWAY is sent.
      if (this.#reads > 0 || this.#writes > 0) {
        this.#later.push(() => closeIdle(callback));
        return;
      }
      // Its next write begins with the GOAWAY.
      this.#holds = true;
      this.#input.hold();
      close.call(session, callback);
    };
    session.close = closeIdle;
    session.destroy = (...given) => {
      // Without an error no stream is left that would be reset.
      if (this.#reads === 0 || (given[0] ?? undefined) === undefined) destroy.apply(session, given);
      else this.#later.push(() => destroy.apply(session, given));
    };
  }

  /** Call it where the stream begins. */
  guardStream(stream: ServerHttp2Stream): void {
    const guarded = stream as unknown as GuardedStream;
    guarded[GUARD] = this;
    guarded.close = closeLater;
    guarded.destroy = destroyLater;
  }

  /** Whether it is to be done now. Otherwise it is done later. */
  isNow(stream: GuardedStream, act: () => unknown): boolean {
    // Without a reset nothing is sent.
    if (this.#reads === 0 || stream.closed || stream.destroyed) return true;
    this.#later.push(act);
    return false;
  }
}

/** The same functions for all streams. */
const closeLater: End = function (...given) {
  const act = (): unknown => (Object.getPrototypeOf(this) as GuardedStream).close.apply(this, given);
  if (this[GUARD]?.isNow(this, act) !== false) act();
};

const destroyLater: End = function (...given) {
  const act = (): unknown => (Object.getPrototypeOf(this) as GuardedStream).destroy.apply(this, given);
  return this[GUARD]?.isNow(this, act) === false ? this : act();
};
