/**
 * Tells a statsd server what has happened, each time it is asked to. What cannot be sent is lost, as usual with statsd:
 * the server has the next second's figures once it can be reached again.
 */
import { isIP } from "node:net";
import { type MessageLink, openLink } from "../log/message-link.ts";
import type { Series } from "../scoreboard/series-table.ts";
import {
  type StatsdFormat,
  type StatsdGauges,
  type StatsdTotals,
  statsdDatagrams,
  statsdLines,
  statsdTotals,
} from "./statsd-lines.ts";

export interface StatsdOptions extends StatsdFormat {
  readonly address:
    | { readonly transport: "udp"; readonly host: string; readonly port: number }
    | { readonly transport: "unix"; readonly path: string };
  /** How messages name the address. */
  readonly name: string;
  onTrouble(message: string): void;
  onRecovery(message: string): void;
  /** Milliseconds of a monotonic clock. */
  now?(): number;
}

/** Delays before the server is tried again. */
const FIRST_RETRY_MS = 900;
const MAX_RETRY_MS = 30_000;
/** The server is said to be reached again when nothing has failed for so long: UDP reports a failure only later. */
const RECOVERED_AFTER_MS = 5000;
/** A name may mean another address by then. */
const LOOKUP_AGE_MS = 5 * 60_000;
/** How long an exit waits for a name to be looked up. */
const LOOKUP_PATIENCE_MS = 500;

export class StatsdReporter {
  readonly #options: StatsdOptions;
  readonly #now: () => number;
  #before: StatsdTotals;
  #link: MessageLink | undefined;
  #opening: Promise<void> | undefined;
  #openedAt = 0;
  #hasSettled = false;
  #isClosed = false;
  /** When it failed last; undefined if it has recovered since. */
  #failedAt: number | undefined;
  #retryAt = Number.NEGATIVE_INFINITY;
  #retryDelay = FIRST_RETRY_MS;

  /** @param before what has been counted so far, of which the server is not told */
  constructor(options: StatsdOptions, before: Iterable<Series>) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#before = statsdTotals(before);
    this.#open();
  }

  /** Sends what has come since the last call. Neither throws nor waits. */
  report(series: Iterable<Series>, gauges: StatsdGauges): void {
    const now = this.#now();
    const totals = statsdTotals(series);
    if (this.#link === undefined) {
      if (now >= this.#retryAt) this.#open();
      // While the name is looked up for the first time nothing is lost.
      if (this.#hasSettled) this.#before = totals;
      return;
    }
    this.#renewLookup(now);
    for (const datagram of statsdDatagrams(statsdLines(this.#before, totals, gauges, this.#options))) {
      // A broken link has been reported by the time that send returns.
      if (this.#link?.send(datagram) === false) this.#failed("it does not read what it is sent", now);
    }
    this.#before = totals;
    if (this.#failedAt === undefined) return;
    if (now - Math.max(this.#failedAt, this.#openedAt) < RECOVERED_AFTER_MS) return;
    this.#failedAt = undefined;
    this.#retryDelay = FIRST_RETRY_MS;
    this.#options.onRecovery(`The statsd server ${this.#options.name} can be reached again`);
  }

  /** Resolves when the connection is open, or could not be opened; at the latest after half a second. */
  async settled(): Promise<void> {
    if (this.#opening === undefined) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LOOKUP_PATIENCE_MS);
    });
    await Promise.race([this.#opening, late]);
    clearTimeout(timer);
  }

  /** Resolves when all that was sent has left the process. */
  async close(): Promise<void> {
    await this.settled();
    this.#isClosed = true;
    await this.#link?.close();
    this.#link = undefined;
  }

  #open(): void {
    if (this.#opening !== undefined || this.#isClosed) return;
    const { address } = this.#options;
    const target = address.transport === "unix" ? { ...address, type: "dgram" as const } : address;
    let opened: MessageLink | undefined;
    const onBreak = (why: Error | undefined): void => {
      if (opened === undefined || this.#link !== opened) return;
      this.#link = undefined;
      this.#failed(why?.message ?? "it closed the socket", this.#now());
    };
    this.#opening = openLink(target, onBreak)
      .then(
        (link) => {
          opened = link;
          this.#link?.close().catch(() => {});
          this.#link = link;
        },
        (error: Error) => {
          // If the name is not found again, the address stays.
          if (this.#link === undefined) this.#failed(error.message, this.#now());
        },
      )
      .finally(() => {
        this.#opening = undefined;
        this.#hasSettled = true;
        this.#openedAt = this.#now();
      });
  }

  /** Looks the name up again from time to time. */
  #renewLookup(now: number): void {
    const { address } = this.#options;
    if (address.transport === "unix" || isIP(address.host) !== 0) return;
    if (now - this.#openedAt > LOOKUP_AGE_MS) this.#open();
  }

  #failed(why: string, now: number): void {
    const isNews = this.#failedAt === undefined;
    this.#failedAt = now;
    this.#retryAt = now + this.#retryDelay;
    this.#retryDelay = Math.min(MAX_RETRY_MS, this.#retryDelay * 2);
    if (isNews && !this.#isClosed)
      this.#options.onTrouble(`The statsd server ${this.#options.name} cannot be reached; retrying: ${why}`);
  }
}
