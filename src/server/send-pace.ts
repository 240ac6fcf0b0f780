/**
 * How slowly a client may read. It must take something of what waits to be sent within `--body-timeout`, and on average so
 * much of it as `--response-min-rate` says: otherwise one that takes a byte now and then keeps a connection, and the
 * response in memory, for ever. Times are in milliseconds, and only those count in which something waits to be sent.
 */
import { ContentPace, type Lateness } from "./content-pace.ts";

export interface SendTimeouts {
  /** In which a client must take something, or the connection is destroyed. */
  readonly body: number;
  /** Minimum bytes per second, averaged over `body`; 0 for none. */
  readonly responseMinRate: number;
}

export class SendPace {
  readonly #pace: ContentPace;
  #accepted: number;

  /** @param accepted bytes that the system has taken for the client so far */
  constructor({ body, responseMinRate }: SendTimeouts, accepted: number, now: number) {
    this.#pace = new ContentPace({ body, bodyTotal: Number.POSITIVE_INFINITY, bodyMinRate: responseMinRate });
    this.#pace.resume(now);
    this.#accepted = accepted;
  }

  /** Nothing waits to be sent any more, until `deadline` is asked again. What the client is late with stays. */
  pause(accepted: number, now: number): void {
    this.#advance(accepted, now);
    this.#pace.pause(now);
  }

  /** When the client is too slow, if it takes nothing more until then. */
  deadline(accepted: number, now: number): number {
    this.#advance(accepted, now);
    return this.#pace.resume(now);
  }

  /** How late the client is: the time it has been waited for, less what the bytes it took have earned. */
  behind(accepted: number, now: number): number {
    this.#advance(accepted, now);
    return this.#pace.behind(now);
  }

  lateness(accepted: number, now: number): Lateness {
    this.#advance(accepted, now);
    return this.#pace.lateness(now);
  }

  #advance(accepted: number, now: number): void {
    if (accepted === this.#accepted) return;
    this.#pace.received(accepted - this.#accepted, now);
    this.#accepted = accepted;
  }
}
