/**
 * How long a client may take to send the content of a request. Only the time that the server waits for the client
 * counts, not the time in which the app reads slowly. Times are in milliseconds of the server's clock.
 */

/** How late a client is with what is waited for. */
export interface Lateness {
  /** Milliseconds: the time that it has been waited for, less what its bytes have earned. */
  readonly late: number;
  /** Whether it was on time when it last sent or took something: its line may have got stuck just now. */
  readonly steady: boolean;
}

export const ON_TIME: Lateness = { late: 0, steady: true };

export interface ContentTimeouts {
  /** For the next piece (408), and for a client that reads nothing of a response (destroyed). */
  readonly body: number;
  /** For the whole content. */
  readonly bodyTotal: number;
  /** Minimum bytes per second, averaged over `body`; 0 for none. Each byte buys time, as in Apache's mod_reqtimeout. */
  readonly bodyMinRate: number;
}

export class ContentPace {
  readonly #timeouts: ContentTimeouts;
  /** Time left before the client is too slow. Below 0 it has been; the next tick notices. */
  #credit: number;
  /** Time left for the whole content. */
  #totalLeft: number;
  /** When waiting began; undefined while paused. */
  #waitingSince: number | undefined;
  #isSteady = false;

  constructor(timeouts: ContentTimeouts) {
    this.#timeouts = timeouts;
    this.#credit = timeouts.body;
    this.#totalLeft = timeouts.bodyTotal;
  }

  /** Starts or continues to wait for the client. Returns the deadline. */
  resume(now: number): number {
    this.#waitingSince ??= now;
    return this.#waitingSince + Math.min(this.#timeouts.body, this.#credit, this.#totalLeft);
  }

  /** Content has arrived. */
  received(bytes: number, now: number): void {
    if (this.#waitingSince !== undefined) {
      this.pause(now);
      this.#waitingSince = now;
    }
    const { body, bodyMinRate } = this.#timeouts;
    this.#credit = bodyMinRate === 0 ? body : Math.min(body, this.#credit + (bytes * 1000) / bodyMinRate);
    this.#isSteady = this.#credit === body;
  }

  /** Stops waiting for the client. */
  pause(now: number): void {
    if (this.#waitingSince === undefined) return;
    const waited = now - this.#waitingSince;
    this.#waitingSince = undefined;
    this.#totalLeft -= waited;
    this.#credit -= waited;
  }

  /** How late the client is: the time it has been waited for, less what its bytes have earned. */
  behind(now: number): number {
    if (this.#waitingSince === undefined) return 0;
    const waited = now - this.#waitingSince;
    const { body } = this.#timeouts;
    return Number.isFinite(body) ? body - this.#credit + waited : waited;
  }

  lateness(now: number): Lateness {
    // Without a minimum rate, a client that has not begun may be one that sends now and then.
    return { late: this.behind(now), steady: this.#isSteady || this.#timeouts.bodyMinRate === 0 };
  }
}
