/**
 * Bounds how many requests a worker handles at once, and how many wait for a place. What exceeds the bounds is refused at
 * once, before anything has been spent on it: a queue that grows with the load makes every answer late, and the clients of
 * late answers have gone.
 *
 * A place is not enough for an app that keeps the event loop busy: its handlers end before the next one begins, and the
 * queue is in the kernel, where nobody sees how long a request has waited. So the loop's turn is a resource as well: once
 * handlers have used `TURN_MS` of it, further requests of the turn wait, the loop reads what has arrived, and one of those
 * that wait is handled after that. So the queue is here, in the order of arrival.
 *
 * The gate knows nothing of protocols. A server does this for each request, and keeps the visit with it:
 *
 *     gate.connected()       for each connection
 *     visit = gate.visit(startedAt, milliseconds that a trusted proxy says it has waited before)
 *     visit.enter(request)   calls `run` or `shed` of the request, now or later
 *     visit.leave()          the response is complete or given up, or the client has gone; any number of times
 *
 * Modules that every worker loads take only types from here: without `--max-in-flight` this is not loaded.
 */
// Imported, since the global is an accessor, which V8 calls at each use.
import { performance } from "node:perf_hooks";
import {
  type Entry,
  type GatedRequest,
  type ShedReason,
  type Waiting,
  WaitingQueue,
} from "./waiting-queue.ts";

export type { GatedRequest, ShedReason } from "./waiting-queue.ts";

export interface InFlightGateOptions {
  /** Requests that the app handles at once. */
  readonly maxInFlight: number;
  /** Requests that wait for a place. Default: as many as `maxInFlight`, so that one waits about as long as one takes. */
  readonly maxQueue?: number | undefined;
  /** How long a request may wait, in milliseconds. Default: without limit. */
  readonly queueTimeout?: number;
  /** Paths, without query, whose requests neither wait nor count. */
  readonly neverShed?: readonly string[];
  /** Called for each request that is refused. */
  readonly onShed?: (reason: ShedReason, gate: InFlightGate) => void;
}

/** How long handlers may use a turn of the event loop before the loop reads what has arrived, in milliseconds. */
const TURN_MS = 1;

/** The queue is searched for requests that have waited too long so many times within the timeout. */
const CHECKS_PER_TIMEOUT = 8;
const MIN_CHECK_MS = 5;

export class InFlightGate {
  readonly maxInFlight: number;
  readonly maxQueue: number;
  readonly #queueTimeout: number;
  readonly #neverShed: ReadonlySet<string>;
  readonly #onShed: InFlightGateOptions["onShed"];
  #inFlight = 0;
  readonly #queue = new WaitingQueue();
  /** When the first request of this turn entered; undefined at the beginning of a turn. */
  #turnSince: number | undefined;
  #isScheduled = false;
  #timer: NodeJS.Timeout | undefined;
  /** Connections and requests that have come, and as many of them as were there at the end of the last turn. */
  #arrivals = 0;
  #seenArrivals = 0;
  /** When the loop began to read without calling a handler. */
  #readSince: number | undefined;
  /** When the turn began in which places are being given. */
  #handOutSince = 0;
  readonly #endTurn = (): void => this.#nextTurn();
  readonly #goOn = (): void => this.#handOut();
  readonly #afterMicrotasks = (): void => process.nextTick(this.#goOn);

  constructor({ maxInFlight, maxQueue, queueTimeout, neverShed = [], onShed }: InFlightGateOptions) {
    this.maxInFlight = maxInFlight;
    this.maxQueue = maxQueue ?? maxInFlight;
    this.#queueTimeout = queueTimeout ?? Number.POSITIVE_INFINITY;
    this.#neverShed = new Set(neverShed);
    this.#onShed = onShed;
  }

  /** Requests that hold a place. */
  get inFlight(): number {
    return this.#inFlight;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /** Whether requests for this target pass without the gate. */
  spares(target: string): boolean {
    if (this.#neverShed.size === 0) return false;
    const query = target.indexOf("?");
    return this.#neverShed.has(query === -1 ? target : target.slice(0, query));
  }

  /** A connection has been accepted, whose request will be there in the next turn. */
  connected(): void {
    this.#arrivals += 1;
  }

  /**
   * Begins the visit of a request.
   * @param startedAt when it arrived, as in `performance.now()`
   * @param waitedBefore milliseconds that it has waited before, as a trusted proxy says; undefined if none does
   */
  visit(startedAt: number, waitedBefore: number | undefined): GateVisit {
    return new GateVisit(this, startedAt, waitedBefore);
  }

  /**
   * For visits: asks for a place.
   * @param since when the request began to wait, as in `performance.now()`; before its arrival if a proxy says so
   * @param now as in `performance.now()`
   */
  enter(since: number, now: number): "run" | "wait" | ShedReason {
    this.#arrivals += 1;
    if (now - since > this.#queueTimeout) return this.#refused("queue_timeout");
    this.#beginTurn(now);
    if (this.#queue.size === 0 && this.#inFlight < this.maxInFlight && !this.#turnIsUsed(now)) {
      this.#inFlight += 1;
      return "run";
    }
    // Those that have waited too long must not take the place of one that has just come.
    if (this.#queue.size >= this.maxQueue) this.#shedLate(now);
    return this.#queue.size < this.maxQueue ? "wait" : this.#refused("overload");
  }

  #refused(reason: ShedReason): ShedReason {
    this.#onShed?.(reason, this);
    return reason;
  }

  /** For visits: puts a request into the queue. Call it when `enter` says so, at once. */
  wait(since: number, request: Waiting): Entry {
    const entry = this.#queue.add(since, request);
    this.#watchTime();
    this.#schedule();
    return entry;
  }

  /** For visits: a request that held a place no longer does. */
  leave(): void {
    this.#inFlight -= 1;
    this.#schedule();
  }

  /** Refuses all that wait: the process ends. */
  close(): void {
    while (this.#queue.first !== undefined) this.#shed(this.#queue.first, "draining");
  }

  /** For visits: takes one out of the queue. Returns false if it has left it. */
  remove(entry: Entry): boolean {
    return this.#queue.remove(entry);
  }

  // ---- turns of the event loop

  #beginTurn(now: number): void {
    if (this.#turnSince !== undefined) return;
    this.#turnSince = now;
    this.#awaitTurn();
  }

  #turnIsUsed(now: number): boolean {
    return this.#turnSince !== undefined && now - this.#turnSince >= TURN_MS;
  }

  /** Comes after the input of this turn has been read. */
  #awaitTurn(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#endTurn);
  }

  #schedule(): void {
    if (this.#queue.first !== undefined && this.#inFlight < this.maxInFlight) this.#awaitTurn();
  }

  #nextTurn(): void {
    this.#turnSince = undefined;
    const now = performance.now();
    if (this.#readsOn(now)) {
      setImmediate(this.#endTurn);
      return;
    }
    this.#handOutSince = now;
    this.#handOut();
  }

  /**
   * Whether to look for more before the next handler. A turn takes only one connection from each socket (libuv 1.45 and
   * later), and its request comes a turn later, so that one turn for each handler would let connections queue in the kernel.
   */
  #readsOn(now: number): boolean {
    const hasNews = this.#arrivals !== this.#seenArrivals;
    this.#seenArrivals = this.#arrivals;
    if (this.#queue.first === undefined || !hasNews) {
      this.#readSince = undefined;
      return false;
    }
    this.#readSince ??= now;
    if (now - this.#readSince < TURN_MS) return true;
    this.#readSince = undefined;
    return false;
  }

  /** Gives places to those that wait, one by one, until the turn is used. */
  #handOut(): void {
    const now = performance.now();
    const entry = now - this.#handOutSince < TURN_MS ? this.#nextInTime(now) : undefined;
    if (entry === undefined) {
      this.#isScheduled = false;
      this.#schedule();
      return;
    }
    this.#inFlight += 1;
    // After all that the handler does without waiting: what follows an `await` is part of it.
    queueMicrotask(this.#afterMicrotasks);
    entry.scope.runInAsyncScope(entry.request.run, entry.request);
  }

  /** Takes the first one that has not waited too long from the queue, if there is a place. */
  #nextInTime(now: number): Entry | undefined {
    while (this.#queue.first !== undefined && this.#inFlight < this.maxInFlight) {
      const entry = this.#queue.first;
      if (now - entry.since <= this.#queueTimeout) {
        this.remove(entry);
        return entry;
      }
      this.#shed(entry, "queue_timeout");
    }
    return undefined;
  }

  // ---- time

  /** Watches the time of what waits, while something does: a proxy's word may make a later one due before an earlier. */
  #watchTime(): void {
    if (this.#timer !== undefined || this.#queueTimeout === Number.POSITIVE_INFINITY) return;
    const milliseconds = Math.max(MIN_CHECK_MS, this.#queueTimeout / CHECKS_PER_TIMEOUT);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#shedLate(performance.now());
      if (this.#queue.first !== undefined) this.#watchTime();
    }, milliseconds);
    this.#timer.unref();
  }

  #shedLate(now: number): void {
    let entry = this.#queue.first;
    while (entry !== undefined) {
      const { next } = entry;
      if (now - entry.since > this.#queueTimeout) this.#shed(entry, "queue_timeout");
      entry = next;
    }
  }

  #shed(entry: Entry, reason: ShedReason): void {
    if (!this.remove(entry)) return;
    this.#onShed?.(reason, this);
    entry.scope.runInAsyncScope(entry.request.shed, entry.request, reason);
  }
}

/** One request at the gate. */
export class GateVisit {
  /** The app never gets it: there are too many. */
  isShed = false;
  readonly #gate: InFlightGate;
  readonly #startedAt: number;
  readonly #waitedBefore: number | undefined;
  #entry: Entry | undefined;
  #hasPlace = false;

  constructor(gate: InFlightGate, startedAt: number, waitedBefore: number | undefined) {
    this.#gate = gate;
    this.#startedAt = startedAt;
    this.#waitedBefore = waitedBefore;
  }

  get isWaiting(): boolean {
    return this.#entry !== undefined;
  }

  /** Asks for a place. Call it once. */
  enter(request: GatedRequest): void {
    const since = this.#startedAt - (this.#waitedBefore ?? 0);
    const entry = this.#gate.enter(since, this.#startedAt);
    if (entry === "run") {
      this.#hasPlace = true;
      if (this.#waitedBefore !== undefined) request.queued(this.#waitedBefore);
      request.run();
    } else if (entry === "wait") {
      this.#entry = this.#gate.wait(since, {
        run: () => {
          this.#entry = undefined;
          this.#hasPlace = true;
          request.queued(performance.now() - since);
          request.run();
        },
        shed: (reason) => this.#shed(request, reason),
      });
    } else this.#shed(request, entry);
  }

  #shed(request: GatedRequest, reason: ShedReason): void {
    this.#entry = undefined;
    this.isShed = true;
    request.shed(reason);
  }

  /** The request has ended: it neither waits nor holds a place. May be called again. */
  leave(): void {
    if (this.#entry !== undefined) {
      this.#gate.remove(this.#entry);
      this.#entry = undefined;
      this.isShed = true;
    }
    if (this.#hasPlace) this.#gate.leave();
    this.#hasPlace = false;
  }
}
