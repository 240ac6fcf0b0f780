/** Watches a client that is behind with reading, by a timer of its own: most connections never need one. */
import type { Lateness } from "../content-pace.ts";
import { SendPace, type SendTimeouts } from "../send-pace.ts";

export interface WatchedSender {
  /** Bytes that the system has taken so far. */
  readonly acceptedBytes: number;
  /** The client is too slow. Called once. */
  onTooSlow(): void;
}

/** The longest time that a timer waits. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export class SendWatch {
  readonly #sender: WatchedSender;
  readonly #pace: SendPace;
  #timer: NodeJS.Timeout | undefined;
  /** True between `start` and `stop`. */
  isOn = false;

  constructor(sender: WatchedSender, timeouts: SendTimeouts) {
    this.#sender = sender;
    this.#pace = new SendPace(timeouts, sender.acceptedBytes, performance.now());
  }

  /** Something waits to be sent. */
  start(): void {
    if (this.isOn) return;
    this.isOn = true;
    this.#check();
  }

  /** Undefined while nothing waits. */
  get lateness(): Lateness | undefined {
    return this.isOn ? this.#pace.lateness(this.#sender.acceptedBytes, performance.now()) : undefined;
  }

  /** Nothing waits any more, or the connection has closed. */
  stop(): void {
    if (!this.isOn) return;
    this.isOn = false;
    clearTimeout(this.#timer);
    this.#pace.pause(this.#sender.acceptedBytes, performance.now());
  }

  #check(): void {
    const now = performance.now();
    const left = this.#pace.deadline(this.#sender.acceptedBytes, now) - now;
    if (left > 0) this.#wait(left);
    else {
      this.isOn = false;
      this.#sender.onTooSlow();
    }
  }

  #wait(milliseconds: number): void {
    if (milliseconds !== Number.POSITIVE_INFINITY)
      this.#timer = setTimeout(onTimer, Math.min(milliseconds, MAX_TIMER_MS), this).unref();
  }

  /** A loop that was blocked is late itself: it sends first what the system takes now. */
  onTimer(): void {
    setImmediate(onSent, this);
  }

  onSent(): void {
    if (this.isOn) this.#check();
  }
}

function onTimer(watch: SendWatch): void {
  watch.onTimer();
}

function onSent(watch: SendWatch): void {
  watch.onSent();
}
