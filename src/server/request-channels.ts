/**
 * Requests on diagnostics channels of Node, for instrumentations: docs/monitoring.md describes them. Without subscribers a
 * request costs three reads of a property. The call of the app runs in the stores that a subscriber has bound to the
 * channel of the start, inside the scope of the request.
 */
import { channel } from "node:diagnostics_channel";
import type { IncomingMessage } from "node:http";
// Imported, since the global is an accessor, which V8 calls at each use.
import { performance } from "node:perf_hooks";
import { sentStatus } from "../exchange/respond.ts";
import type { GatewayRequest, Handler } from "../gateway/types.ts";

/** The message about a request: one object for its start, its error and its end, so that it can be a key. */
export interface RequestMessage {
  /** The request id, as in the access log. */
  readonly id: string;
  readonly method: string;
  /** As received. */
  readonly target: string;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** As the app gets it. */
  readonly request: GatewayRequest | IncomingMessage;
  /** The status that was sent; undefined before the end, and if none was. */
  readonly status: number | undefined;
  /** Milliseconds from the call of the app to the end; undefined before. */
  readonly duration: number | undefined;
  /** Why the request failed: what the app threw, or an error of tsgun, such as `ClientGone`. Undefined while it has not. */
  readonly error: Error | undefined;
}

const started = channel("tsgun:request:start");
const failed = channel("tsgun:request:error");
const ended = channel("tsgun:request:end");

/** Whether anybody wants to know of requests. */
export function requestsAreObserved(): boolean {
  return started.hasSubscribers || ended.hasSubscribers || failed.hasSubscribers;
}

/** A request that is observed. */
export class ObservedRequest implements RequestMessage {
  readonly id: string;
  readonly method: string;
  readonly target: string;
  readonly request: GatewayRequest | IncomingMessage;
  status: number | undefined;
  duration: number | undefined;
  error: Error | undefined;
  readonly #startedAt = performance.now();

  constructor(request: GatewayRequest | IncomingMessage, method: string, target: string, id: string) {
    this.request = request;
    this.method = method;
    this.target = target;
    this.id = id;
  }

  get headers(): RequestMessage["headers"] {
    return this.request.headers;
  }

  /** Publishes the start and calls `call` with its stores. */
  run<This, Args extends unknown[], Result>(
    call: (this: This, ...args: Args) => Result,
    self: This,
    ...args: Args
  ): Result {
    return started.runStores(this, call, self, ...args);
  }

  /** The first error stands. */
  fail(error: Error): void {
    if (this.error !== undefined || this.duration !== undefined) return;
    this.error = error;
    failed.publish(this);
  }

  end(status: number | undefined): void {
    if (this.duration !== undefined) return;
    this.duration = performance.now() - this.#startedAt;
    this.status = status;
    ended.publish(this);
  }
}

/** Wraps the handler of a request that is observed. */
export function observeHandler(handler: Handler): Handler {
  return (request, respond) => {
    const { method, target, id } = request;
    const observed = new ObservedRequest(request, method, target, id);
    respond.finished().then(
      () => observed.end(sentStatus(respond)),
      (error: Error) => {
        observed.fail(error);
        observed.end(sentStatus(respond));
      },
    );
    return observed.run(handler, undefined, request, respond);
  };
}
