/** Counts requests on the worker's page. A request costs it the stores of its entry and three additions. */
import { countRoutes } from "../exchange/route.ts";
import { METHODS } from "../scoreboard/layout.ts";
import {
  DURATION_BUCKETS,
  ERROR_TYPES,
  type ErrorType,
  QUEUE_BUCKETS,
  type RejectReason,
  WORKER_METRICS,
} from "../scoreboard/metrics.ts";
import { methodIndex, NO_SERIES, type PageWriter, type SeriesHandle } from "../scoreboard/page-writer.ts";
import {
  type ConnectionErrorReason,
  HTTP_1_0,
  HTTP_2,
  HTTPS,
  type RequestMeter,
} from "../server/request-meter.ts";
import { NO_ROUTE, OTHER_ROUTE, RouteNames } from "./route-names.ts";
import { SlowRequests } from "./slow-requests.ts";

/** Series are found by a number made of their labels. These are the bits of each, from the lowest on. */
const ERROR_BITS = 3;
const PROTOCOL_BITS = 3;
const METHOD_BITS = 4;
const STATUS_BITS = 10;
const ROUTE_SHIFT = ERROR_BITS + PROTOCOL_BITS + METHOD_BITS + STATUS_BITS;

/** Series that routes leave free: a request that has no series would not be counted. */
const KEPT_SERIES = 150;

const MS = 1000;

export class PageMeter implements RequestMeter {
  readonly slowRequests = new SlowRequests();
  readonly #page: PageWriter;
  readonly #handles = new Map<number, SeriesHandle>();
  /** The series of the last request: mostly the next one has the same. */
  #lastLabels = -1;
  #lastHandle: SeriesHandle = NO_SERIES;
  readonly #routes = new RouteNames();
  #queue: SeriesHandle | undefined;

  constructor(page: PageWriter) {
    this.#page = page;
    countRoutes();
  }

  begin(method: string, target: string, startedAt: number, protocol: number): number {
    return this.#page.beginRequest(method, target, startedAt, (protocol & HTTPS) !== 0);
  }

  end(
    number: number,
    method: string,
    status: number,
    protocol: number,
    error: ErrorType,
    milliseconds: number,
    route: string,
    exchange: { readonly id: string | undefined },
  ): void {
    if (milliseconds > this.slowRequests.floor) this.#keep(number, method, status, milliseconds, exchange.id);
    const answer = (this.#routes.numberOf(route) << STATUS_BITS) | status;
    const sent = (answer << METHOD_BITS) | methodIndex(method);
    const labels = (((sent << PROTOCOL_BITS) | protocol) << ERROR_BITS) | errorIndex(error);
    const seconds = milliseconds / MS;
    const page = this.#page;
    page.observe(this.#handleOf(labels), bucketOf(seconds, DURATION_BUCKETS), seconds);
    page.endRequest(number);
  }

  #keep(number: number, method: string, status: number, milliseconds: number, id: string | undefined): void {
    this.slowRequests.add({
      method,
      target: this.#page.targetOf(number),
      id: id ?? null,
      status,
      at: Math.round(Date.now() - milliseconds),
      duration: Math.round(milliseconds * 10) / 10,
    });
  }

  drop(number: number): void {
    this.#page.endRequest(number);
  }

  rejected(reason: RejectReason): void {
    this.#count(`${WORKER_METRICS.rejected.id}|${reason}`);
  }

  connectionFailed(reason: ConnectionErrorReason): void {
    this.#count(`${WORKER_METRICS.connectionErrors.id}|${reason}`);
  }

  queued(milliseconds: number): void {
    this.#queue ??= this.#page.series(WORKER_METRICS.queueTime.id);
    const seconds = milliseconds / MS;
    this.#page.observe(this.#queue, bucketOf(seconds, QUEUE_BUCKETS), seconds);
  }

  /** A line of the error log, by its level. */
  logged(level: string): void {
    this.#count(`${WORKER_METRICS.logLines.id}|${level}`);
  }

  /** A line of a log was lost. */
  logDropped(log: "access" | "error"): void {
    this.#count(`${WORKER_METRICS.logLinesDropped.id}|${log}`);
  }

  #count(key: string): void {
    const page = this.#page;
    page.increment(page.series(key));
  }

  #handleOf(labels: number): SeriesHandle {
    if (labels === this.#lastLabels) return this.#lastHandle;
    let handle = this.#handles.get(labels);
    if (handle === undefined) {
      handle = this.#page.series(this.#keyWithRoom(labels));
      this.#handles.set(labels, handle);
    }
    this.#lastLabels = labels;
    this.#lastHandle = handle;
    return handle;
  }

  /** The key of a series that the page has room for: its route is given up first. */
  #keyWithRoom(labels: number): string {
    const hasRoute = labels >> ROUTE_SHIFT !== NO_ROUTE;
    if (!hasRoute || this.#page.seriesLeft > KEPT_SERIES) return this.#keyOf(labels);
    return this.#keyOf((labels & (2 ** ROUTE_SHIFT - 1)) | (OTHER_ROUTE << ROUTE_SHIFT));
  }

  #keyOf(labels: number): string {
    const cut = (shift: number, bits: number): number => (labels >> shift) & (2 ** bits - 1);
    const protocol = cut(ERROR_BITS, PROTOCOL_BITS);
    const status = cut(ERROR_BITS + PROTOCOL_BITS + METHOD_BITS, STATUS_BITS);
    return [
      WORKER_METRICS.requestDuration.id,
      METHODS[cut(ERROR_BITS + PROTOCOL_BITS, METHOD_BITS)],
      status === 0 ? "" : status,
      protocol & HTTPS ? "https" : "http",
      protocol & HTTP_2 ? "2" : protocol & HTTP_1_0 ? "1.0" : "1.1",
      ERROR_TYPES[cut(0, ERROR_BITS)],
      this.#routes.nameOf(labels >> ROUTE_SHIFT),
    ].join("|");
  }
}

function errorIndex(error: ErrorType): number {
  return error === "" ? 0 : ERROR_TYPES.indexOf(error);
}

/** The index of the first bound that is not less than the value; the number of bounds if there is none. */
function bucketOf(value: number, bounds: readonly number[]): number {
  let bucket = 0;
  while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket += 1;
  return bucket;
}
