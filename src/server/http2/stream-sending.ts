/** How fast the client of a stream reads what waits to be sent to it: within `--body-timeout`, and at a minimum rate. */
import type { ServerHttp2Stream } from "node:http2";
import type { Standing } from "../places/policy.ts";
import { SendPace, type SendTimeouts } from "../send-pace.ts";

export class StreamSending {
  /** Bytes of content that node:http2 has sent. */
  sent = 0;
  readonly #stream: ServerHttp2Stream;
  readonly #timeouts: SendTimeouts;
  /** Undefined until something has waited to be sent. */
  #pace: SendPace | undefined;

  constructor(stream: ServerHttp2Stream, timeouts: SendTimeouts) {
    this.#stream = stream;
    this.#timeouts = timeouts;
  }

  get #isPending(): boolean {
    const { writableLength, writableEnded, writableFinished, headersSent } = this.#stream;
    return headersSent && (writableLength > 0 || (writableEnded && !writableFinished));
  }

  /** Whether the client is too slow. Call on every tick. @param passed time that has passed for certain */
  isStalled(now: number, passed: number): boolean {
    if (!this.#isPending) {
      this.#pace?.pause(this.sent, now);
      return false;
    }
    this.#pace ??= new SendPace(this.#timeouts, this.sent, now);
    if (this.#pace.deadline(this.sent, now) > passed) return false;
    this.#pace = undefined;
    return true;
  }

  /** How late the client is; undefined if nothing waits for it. */
  standing(now: number): Standing | undefined {
    if (!this.#isPending || this.#pace === undefined) return undefined;
    return { wait: "reader", ...this.#pace.lateness(this.sent, now) };
  }
}
