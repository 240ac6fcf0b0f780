/** The requests that wait for a place (`in-flight-gate.ts`), in the order of arrival; any of them may leave. */
import { AsyncResource } from "node:async_hooks";
import type { RejectReason } from "../scoreboard/metrics.ts";

/** Why a request is refused; the reasons of the metric. */
export type ShedReason = Extract<RejectReason, "overload" | "queue_timeout" | "draining">;

/** The steps of a server with a request. Exactly one of the first two is called, unless the request leaves before. */
export interface GatedRequest {
  /** It has a place: call the app. */
  run(): void;
  /** Respond with 503 and Retry-After. */
  shed(reason: ShedReason): void;
  /** It has a place after so many milliseconds. Called before `run`, if it has waited, or a proxy has said how long. */
  queued(milliseconds: number): void;
}

export type Waiting = Pick<GatedRequest, "run" | "shed">;

/** A place in the queue. */
export class Entry {
  previous: Entry | undefined;
  next: Entry | undefined;
  readonly since: number;
  readonly request: Waiting;
  /** The request is run in the context in which it arrived, not in that of the one that made room. */
  readonly scope = new AsyncResource("TSGUN_WAITING");

  constructor(since: number, request: Waiting) {
    this.since = since;
    this.request = request;
  }
}

export class WaitingQueue {
  size = 0;
  first: Entry | undefined;
  #last: Entry | undefined;

  add(since: number, request: Waiting): Entry {
    const entry = new Entry(since, request);
    entry.previous = this.#last;
    if (this.#last === undefined) this.first = entry;
    else this.#last.next = entry;
    this.#last = entry;
    this.size += 1;
    return entry;
  }

  /** Returns false if it is not in the queue any more. */
  remove(entry: Entry): boolean {
    if (entry.previous === undefined && this.first !== entry) return false;
    if (entry.previous === undefined) this.first = entry.next;
    else entry.previous.next = entry.next;
    if (entry.next === undefined) this.#last = entry.previous;
    else entry.next.previous = entry.previous;
    entry.previous = undefined;
    entry.next = undefined;
    this.size -= 1;
    return true;
  }
}
