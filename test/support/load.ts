/**
 * A bounded load: a few clients in this process, on raw sockets, each sending one request after the other
 * and checking every response to the last byte. Nothing is retried: a request that was sent gets the correct response,
 * or is counted by how it failed.
 */
import assert from "node:assert/strict";
import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises";
import type { ReceivedAnswer } from "./answer-reader.ts";
import { type Exchange, LoadConnection, type OpenError, type Target } from "./load-connection.ts";

export type { Exchange, Target } from "./load-connection.ts";

export interface LoadOptions {
  /** Whether each client keeps its connection, or sends each request on a new one with `Connection: close`. */
  readonly mode: "keep-alive" | "close";
  /** The nth request, counted over all clients. */
  readonly make: (number: number, mode: LoadOptions["mode"]) => Exchange;
  /** How many connections at a time. Default: 8. */
  readonly clients?: number;
  /** Ends after so many requests; without it, when it is stopped. */
  readonly requests?: number;
  /** Requests a second, over all clients. Without it, as fast as the answers come. */
  readonly rate?: number;
  /** Awaited by each client before its next request, in addition to the rate. */
  readonly before?: () => Promise<unknown>;
  /** The limit for a connection and for a response, in milliseconds. Default: 20 s. */
  readonly timeout?: number;
  /** Called for each failure, also for those that are not kept. */
  readonly onFailure?: (failure: Failure) => void;
}

export interface Counts {
  /** Requests that went out. Each is answered, reset, wrong, truncated or timed out. */
  sent: number;
  /** Right answers. */
  answered: number;
  /** Connections that could not be opened. */
  refused: number;
  /** The connection was reset before the response was complete. */
  reset: number;
  /** Answers that are not what they have to be. */
  wrong: number;
  /** The server closed the connection before the response was complete, or before it began. */
  truncated: number;
  timedOut: number;
  /** Connections that the server closed between two requests: its right, and no failure. */
  closedIdle: number;
}

export interface Failure {
  readonly kind: "refused" | "reset" | "wrong" | "truncated" | "timedOut";
  /** When it showed and when the request was begun, in milliseconds since the epoch. */
  readonly at: number;
  readonly since: number;
  /** The worker that had answered on this connection before, if any had. */
  readonly worker: number | undefined;
  readonly text: string;
}

/** How many failures are kept in words. */
const FAILURES_KEPT = 100;

export class Load {
  readonly counts: Counts = {
    sent: 0,
    answered: 0,
    refused: 0,
    reset: 0,
    wrong: 0,
    truncated: 0,
    timedOut: 0,
    closedIdle: 0,
  };
  readonly failures: Failure[] = [];
  /** Correct responses of each worker, by the process id in X-Worker. */
  readonly workers = new Map<number, number>();
  readonly #target: Target;
  readonly #options: LoadOptions;
  readonly #timeout: number;
  readonly #clients: Promise<unknown>;
  readonly #watchers = new Set<() => void>();
  #begun = 0;
  #nextAt = performance.now();
  #stopped = false;

  constructor(target: Target, options: LoadOptions) {
    this.#target = target;
    this.#options = options;
    this.#timeout = options.timeout ?? 20_000;
    const clients = Array.from({ length: options.clients ?? 8 }, () => this.#run());
    this.#clients = Promise.all(clients);
  }

  /** How many requests and connections failed. */
  get failed(): number {
    const { refused, reset, wrong, truncated, timedOut } = this.counts;
    return refused + reset + wrong + truncated + timedOut;
  }

  /** Waits until all its requests have been answered or have failed. */
  async finished(): Promise<void> {
    await this.#clients;
  }

  /** Sends nothing more, waits for the answers that are due. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#clients;
  }

  /** Waits for so many more answers; fails when they do not come in time. */
  more(answers: number, milliseconds = 20_000): Promise<void> {
    const goal = this.counts.answered + answers;
    return new Promise((resolve, reject) => {
      const watch = (): void => {
        if (this.counts.answered < goal) return;
        clearTimeout(timer);
        this.#watchers.delete(watch);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#watchers.delete(watch);
        const missing = goal - this.counts.answered;
        reject(
          new Error(`${missing} of ${answers} answers did not come in ${milliseconds} ms\n${this.report()}`),
        );
      }, milliseconds);
      this.#watchers.add(watch);
    });
  }

  /** The counts and the first failures, for people. */
  report(): string {
    const counts = Object.entries(this.counts).map(([name, count]) => `${name} ${count}`);
    const failures = this.failures.map((failure) => {
      const took = (failure.at - failure.since).toFixed(0);
      return `  ${new Date(failure.at).toISOString()} ${failure.kind} after ${took} ms: ${failure.text}`;
    });
    return [counts.join(", "), ...failures].join("\n");
  }

  /** Nothing failed, and there were at least so many answers. */
  assertNothingLost(answers: number): void {
    assert.equal(this.failed, 0, this.report());
    assert.ok(this.counts.answered >= answers, `only ${this.report()}, not the ${answers} answers it needs`);
  }

  async #run(): Promise<void> {
    let connection: LoadConnection | undefined;
    while (await this.#turn()) {
      connection = this.#checkIdle(connection) ?? (await this.#open());
      if (connection !== undefined) connection = await this.#ask(connection);
    }
    this.#checkIdle(connection)?.close();
  }

  /** Waits for this client's next turn; false when there is none. */
  async #turn(): Promise<boolean> {
    const { rate, requests, before } = this.#options;
    if (this.#stopped || this.#begun === requests) return false;
    this.#begun += 1;
    if (rate !== undefined) {
      const now = performance.now();
      const at = Math.max(now, this.#nextAt);
      this.#nextAt = at + 1000 / rate;
      await pause(at - now);
    }
    await before?.();
    // Behind the input of this turn: a client that is late must see that its connection was closed meanwhile.
    await nextTurn();
    return !this.#stopped;
  }

  /** The connection, if it is still of use. */
  #checkIdle(connection: LoadConnection | undefined): LoadConnection | undefined {
    if (connection === undefined) return undefined;
    if (connection.stray.length > 0) {
      const bytes = JSON.stringify(connection.stray.toString("latin1", 0, 80));
      this.#fail("wrong", Date.now(), connection, `bytes without a request: ${bytes}`);
    } else if (connection.over) {
      this.counts.closedIdle += 1;
    } else {
      return connection;
    }
    connection.close();
    return undefined;
  }

  async #open(): Promise<LoadConnection | undefined> {
    const since = Date.now();
    try {
      return await LoadConnection.open(this.#target, this.#timeout);
    } catch (error) {
      const { kind, message } = error as OpenError;
      this.#fail(kind, since, undefined, message);
      // Nothing listens: pause, so that the retries do not use a core.
      await pause(5);
      return undefined;
    }
  }

  /** Sends the next request; returns the connection if it can be used again. */
  async #ask(connection: LoadConnection): Promise<LoadConnection | undefined> {
    const { make, mode } = this.#options;
    const exchange = make(this.counts.sent, mode);
    this.counts.sent += 1;
    const since = Date.now();
    const outcome = await connection.exchange(exchange, this.#timeout);
    if (outcome.kind !== "answered") {
      this.#fail(outcome.kind, since, connection, `${exchange.label}: ${outcome.why}`);
    } else {
      const { answer } = outcome;
      const fault = exchange.check(answer) ?? this.#checkClose(answer);
      if (fault !== undefined) this.#fail("wrong", since, connection, `${exchange.label}: ${fault}`);
      else this.#count(connection);
      if (fault === undefined && !answer.closes) return connection;
    }
    connection.close();
    return undefined;
  }

  #checkClose(answer: ReceivedAnswer): string | undefined {
    if (this.#options.mode === "keep-alive" || answer.closes) return undefined;
    return "the answer does not say Connection: close, as it was asked to";
  }

  #count(connection: LoadConnection): void {
    this.counts.answered += 1;
    const { worker } = connection;
    if (worker !== undefined) this.workers.set(worker, (this.workers.get(worker) ?? 0) + 1);
    for (const watch of this.#watchers) watch();
  }

  #fail(kind: Failure["kind"], since: number, connection: LoadConnection | undefined, text: string): void {
    this.counts[kind] += 1;
    const where = connection === undefined ? "" : `${connection.name}: `;
    const failure = { kind, at: Date.now(), since, worker: connection?.worker, text: where + text };
    if (this.failures.length < FAILURES_KEPT) this.failures.push(failure);
    this.#options.onFailure?.(failure);
  }
}
