/** How long an app may take to begin its response (`--request-timeout`), and the timeouts that an app sets itself. */
import type { ServerHttp2Stream } from "node:http2";
import type { CompatRequest } from "./compat-request.ts";
import type { CompatResponse } from "./compat-response.ts";

export class AppTime {
  readonly #stream: ServerHttp2Stream & { readonly timeout?: number };
  readonly #timeout: number;
  /** With the call, or the latest content. Undefined before, and once there is a response. */
  #since: number | undefined;

  /** @param timeout in milliseconds */
  constructor(stream: ServerHttp2Stream, timeout: number) {
    this.#stream = stream;
    this.#timeout = timeout;
  }

  begin(now: number): void {
    this.#since = now;
  }

  /** Content has arrived: the app could not respond before. */
  goOn(now: number): void {
    if (this.#since !== undefined) this.#since = now;
  }

  stop(): void {
    this.#since = undefined;
  }

  isOver(passed: number): boolean {
    // The app may have set a longer timeout, as on a socket of HTTP/1.1.
    const timeout = Math.max(this.#timeout, this.#stream.timeout ?? 0);
    return this.#since !== undefined && this.#since + timeout <= passed;
  }
}

/** Listeners of a stream's `timeout` that are not the app's: those of node's two objects, and the exchange's. */
const OWN_LISTENERS = 3;

/** Whether the app handles a timeout that it has set. As with HTTP/1.1, one that it does not handle ends the exchange. */
export function handlesTimeout(request: CompatRequest, response: CompatResponse): boolean {
  if (request.listenerCount("timeout") + response.listenerCount("timeout") > 0) return true;
  return request.stream.listenerCount("timeout") > OWN_LISTENERS;
}
