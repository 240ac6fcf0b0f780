/**
 * The mailbox: everything that happens to the arbiter becomes an event in one queue, read by one loop. Signal handlers,
 * worker messages, exits and timers only post.
 */

/** The longest interval of a timer. The keep-alive timer's firing has no effect. */
const MAX_INTERVAL_MS = 2 ** 31 - 1;

export class Mailbox<Event> {
  #queue: Event[] = [];
  #wake: (() => void) | undefined;
  #diverted: ((event: Event) => void) | undefined;
  #keepAlive: NodeJS.Timeout | undefined;

  post(event: Event): void {
    if (this.#diverted !== undefined) {
      this.#diverted(event);
      return;
    }
    this.#queue.push(event);
    this.#wake?.();
  }

  /** Passes the queued events and all later ones to `handler`. Call when the loop has ended. */
  divert(handler: (event: Event) => void): void {
    this.#diverted = handler;
    for (const event of this.#queue.splice(0)) handler(event);
  }

  /**
   * Returns all events posted since the last call, in order; waits for the first. Returning them together gives twenty
   * signals in a row one consequence.
   */
  async receive(): Promise<Event[]> {
    if (this.#queue.length === 0) {
      // Signal listeners and unreferenced timers do not keep the process alive; this timer does.
      this.#keepAlive ??= setInterval(() => {}, MAX_INTERVAL_MS);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
    const events = this.#queue;
    this.#queue = [];
    return events;
  }

  /** Lets the process end. */
  close(): void {
    clearInterval(this.#keepAlive);
    this.#keepAlive = undefined;
  }
}
