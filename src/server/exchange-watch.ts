/**
 * One exchange as it is counted and logged, the same for both servers: when it began, what was sent, and why it failed.
 * It is counted once, when it ends, however it ends. A subclass supplies what only its server knows.
 */
// Imported, since the global is an accessor, which V8 calls at each use.
import { performance } from "node:perf_hooks";
import { routeOf, routesAreNamed } from "../exchange/route.ts";
import type { RecordedRequest } from "../ipc/stall-report.ts";
import type { RequestEnd } from "../log/access-entry.ts";
import type { ErrorType, RejectReason } from "../scoreboard/metrics.ts";
import { type RequestMeter, rejectReason } from "./request-meter.ts";
import { parseStatus } from "./start-line.ts";

/** The exchange has no number: it is not counted. */
const UNCOUNTED = Number.NEGATIVE_INFINITY;

const ERROR_TYPES: Readonly<Record<RequestEnd, ErrorType>> = {
  complete: "",
  refused: "",
  upgraded: "",
  "client-gone": "client_gone",
  truncated: "truncated",
  timeout: "timeout",
  "worker-exit": "worker_killed",
  "worker-killed": "worker_killed",
};

export abstract class ExchangeWatch {
  /** The id of its request; undefined if finding it out would cost the request too much. */
  abstract readonly id: string | undefined;
  method = "";
  /** The status sent; 0 before that. */
  status = 0;
  /** In milliseconds, once it is measured. */
  duration = 0;
  readonly #meter: RequestMeter | undefined;
  #number = UNCOUNTED;
  #protocol = 0;
  #isOpen = false;
  #startedAt = 0;
  #reason: RequestEnd | undefined;
  /** Whether the client went before a head was sent. */
  #wentFirst = false;

  constructor(meter: RequestMeter | undefined) {
    this.#meter = meter;
  }

  /** Whether an exchange is under way. */
  protected get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Starts an exchange that is not counted. @param startedAt when its request arrived, as in `performance.now()` */
  protected open(startedAt: number): void {
    this.#isOpen = true;
    this.#startedAt = startedAt;
    this.#reason = undefined;
    this.#wentFirst = false;
    this.#number = UNCOUNTED;
  }

  /** Starts an exchange whose request has a whole head. @param protocol bits, see `RequestMeter` */
  protected openCounted(method: string, target: string, protocol: number, startedAt: number): void {
    this.open(startedAt);
    this.method = method;
    this.status = 0;
    if (this.#meter === undefined) return;
    this.#protocol = protocol;
    this.#number = this.#meter.begin(method, target, startedAt, protocol);
  }

  /** Sets the reason why the exchange will fail. The first reason and the first status stand. */
  setReason(reason: RequestEnd, status = 0): void {
    if (!this.#isOpen) return;
    if (reason === "client-gone" && this.status === 0) this.#wentFirst = true;
    this.#reason ??= reason;
    if (this.status === 0) this.status = status;
  }

  /** The server refuses the request without the app. @param reason default: that of the status */
  reject(status: number, reason: RejectReason | undefined = rejectReason(status)): void {
    const meter = this.#meter;
    if (meter === undefined) return;
    if (this.#number !== UNCOUNTED) meter.drop(this.#number);
    this.#number = UNCOUNTED;
    if (reason === undefined) meter.connectionFailed("head_timeout");
    else meter.rejected(reason);
  }

  /** The connection has ended before a head was whole. */
  protected neverWhole(): void {
    this.#meter?.connectionFailed("incomplete_head");
  }

  /** Ends the exchange, unless that has been done. */
  finish(end: RequestEnd): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const ended = this.#reason ?? end;
    this.measure(ended);
    // A request that a process leaves behind stays on its page: the arbiter counts it.
    if (this.#number !== UNCOUNTED && end !== "worker-exit") this.#count(ended);
    this.ended();
  }

  #count(end: RequestEnd): void {
    const number = this.#number;
    this.#number = UNCOUNTED;
    const error = ERROR_TYPES[end];
    const { method, status, duration } = this;
    const route = routesAreNamed() ? routeOf(this.counted) : "";
    this.#meter?.end(number, method, status, this.#protocol, error, duration, route, this);
  }

  /** Ends an upgrade with the first bytes that the app has sent on the bare connection, usually a status line. */
  upgraded(first: string | Uint8Array): void {
    this.status = parseStatus(first) ?? 101;
    this.finish(this.status < 300 ? "upgraded" : "complete");
  }

  /** The exchange as it is now, for the log line of a worker that hangs. */
  record(): RecordedRequest | undefined {
    return undefined;
  }

  /** The request, which has the route that the app has named; undefined if the app was not called. */
  protected abstract get counted(): object | undefined;

  /** Brings duration and status up to date. A subclass sets `status` first, if it is not told. */
  protected measure(end: RequestEnd): void {
    this.duration = performance.now() - this.#startedAt;
    // An app may fail because its client has gone: that error status reached no client. One sent before stands.
    if (end === "client-gone" && this.#wentFirst && this.status >= 500) this.status = 0;
  }

  /** Called when the exchange has ended and has been measured. */
  protected ended(): void {}
}
