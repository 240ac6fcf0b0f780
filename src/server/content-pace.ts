/**
 * How long a client may take over the content of a request. Only time in which the server waits for it counts, not that
 * in which the app reads slowly. All times are those of the server's clock, in milliseconds.
 */

export interface ContentTimeouts {
  /** For the next piece (408), and for a client that takes nothing of an answer (broken off). */
  readonly body: number;
  /** For all of the content. */
  readonly bodyTotal: number;
  /**
   * The bytes a second that content must come with, on average over as long as it may stand still; 0 for any. As with
   * Apache's mod_reqtimeout, each byte that comes buys time.
   */
  readonly bodyMinRate: number;
}

export class ContentPace {
  readonly #timeouts: ContentTimeouts;
  /** What is left to the client before it is too slow; below 0 when it has been, which is seen on the next tick. */
  #credit: number;
  #total: number;
  /** Since when it has been waited for; undefined while it is not. */
  #since: number | undefined;

  constructor(timeouts: ContentTimeouts) {
    this.#timeouts = timeouts;
    this.#credit = timeouts.body;
    this.#total = timeouts.bodyTotal;
  }

  /** The client is waited for; returns until when. */
  resume(now: number): number {
    this.#since ??= now;
    return this.#since + Math.min(this.#timeouts.body, this.#credit, this.#total);
  }

  /** Content has come. */
  received(bytes: number, now: number): void {
    if (this.#since !== undefined) {
      this.pause(now);
      this.#since = now;
    }
    const { body, bodyMinRate } = this.#timeouts;
    this.#credit = bodyMinRate === 0 ? body : Math.min(body, this.#credit + (bytes * 1000) / bodyMinRate);
  }

  /** The client is not waited for any more. */
  pause(now: number): void {
    if (this.#since === undefined) return;
    const waited = now - this.#since;
    this.#since = undefined;
    this.#total -= waited;
    this.#credit -= waited;
  }
}
