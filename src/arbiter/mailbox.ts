/**
 * The mailbox: everything that happens to the arbiter becomes an event in one queue, read by one loop.
 * Signal handlers, worker messages, exits and timers only post.
 */

/** Longer than any process lives without an event; the interval only keeps the event loop alive. */
const FOREVER = 2 ** 31 - 1;

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

  /** Hands the queued events and all later ones to `to`. For the end of the loop, when nobody takes them any more. */
  divert(to: (event: Event) => void): void {
    this.#diverted = to;
    for (const event of this.#queue.splice(0)) to(event);
  }

  /**
   * All events that have come since the last call, in order; waits for the first. Taking them together lets
   * twenty signals in a row have one consequence.
   */
  async take(): Promise<Event[]> {
    if (this.#queue.length === 0) {
      // Signals and timers for nobody do not keep a process alive; waiting for them here does.
      this.#keepAlive ??= setInterval(() => {}, FOREVER);
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
