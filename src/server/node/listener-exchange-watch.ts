/** A request on node's own server as it is counted, and what the log of one shares with that. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { RequestEnd } from "../../log/access-entry.ts";
import { ExchangeWatch } from "../exchange-watch.ts";
import { isSecure } from "../front/facts.ts";
import { HTTP_1_0, HTTPS, type RequestMeter } from "../request-meter.ts";

export interface ListenerExchangeWatch extends ExchangeWatch {
  /** Undefined if nothing has asked for one yet. */
  readonly id: string | undefined;
  /** Ends an exchange whose connection has closed before its response was complete. */
  finishCut(): void;
}

/** The bits of `RequestMeter`. */
export function protocolOf({ httpVersionMinor, socket }: IncomingMessage): number {
  return (httpVersionMinor === 0 ? HTTP_1_0 : 0) | (isSecure(socket) ? HTTPS : 0);
}

/** How an exchange ends whose connection has closed too early. */
export function cutBy({ readableEnded, errored }: Socket): RequestEnd {
  return readableEnded || errored != null ? "client-gone" : "truncated";
}

/** Ends the exchange with the first bytes that the app sends on the bare connection, or when that closes. */
export function watchUpgrade(watch: ListenerExchangeWatch, socket: Duplex, onEnd: () => void): void {
  const { write, end } = socket;
  const check = (chunk: unknown): void => {
    if (!(typeof chunk === "string" || chunk instanceof Uint8Array) || chunk.length === 0) return;
    socket.write = write;
    socket.end = end;
    watch.upgraded(chunk);
    onEnd();
  };
  socket.write = function (this: Duplex, ...args: Parameters<typeof write>) {
    check(args[0]);
    return write.apply(this, args);
  } as typeof write;
  socket.end = function (this: Duplex, ...args: Parameters<typeof end>) {
    check(args[0]);
    return end.apply(this, args);
  } as typeof end;
  socket.once("close", () => {
    watch.finishCut();
    onEnd();
  });
}

/** A request that is counted, but not logged. */
export class ListenerExchangeMeter extends ExchangeWatch implements ListenerExchangeWatch {
  readonly id = undefined;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse | undefined;

  /** @param startedAt when the request arrived, as in `performance.now()` */
  constructor(
    meter: RequestMeter,
    request: IncomingMessage,
    response: ServerResponse | undefined,
    startedAt: number,
  ) {
    super(meter);
    this.#request = request;
    this.#response = response;
    const { method = "", url = "" } = request;
    this.openCounted(method, url, protocolOf(request), startedAt);
  }

  protected get counted(): object {
    return this.#request;
  }

  finishCut(): void {
    this.finish(cutBy(this.#request.socket));
  }

  protected override measure(end: RequestEnd): void {
    const response = this.#response;
    if (response?.headersSent === true) this.status = response.statusCode;
    super.measure(end);
  }
}
