/** Sends the response of one request on its stream. */
import { constants, type ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import { ClientGone, type HttpError } from "../../errors.ts";
import { type DescribeError, type DressError, ExchangeResponse } from "../../exchange/response.ts";
import { type DressedAnswer, lengthOf, PLAIN_TYPE } from "../../exchange/server-answer.ts";
import type { Transport } from "../../exchange/transport.ts";
import { forbidsContent } from "../../gateway/statuses.ts";
import { asksToClose } from "../../http/response-head.ts";
import type { EngineExchangeWatch } from "../engine/engine-exchange-watch.ts";
import { responseFields } from "./response-fields.ts";

/** The exchange, to its response. */
export interface ResponseHost {
  /** The head of the final response is about to be sent. @param closes the app asks to close the connection */
  responding(closes: boolean): void;
  /** All of the response has been passed to the stream. */
  responseSent(): void;
  /** The response has failed after its head. */
  responseFailed(): void;
  /** Hands the stream over to the app. */
  upgrade(fields: string[] | undefined): Duplex;
}

export class StreamSender implements Transport {
  readonly headOnly: boolean;
  readonly upgradable: boolean;
  readonly #host: ResponseHost;
  readonly #stream: ServerHttp2Stream;
  readonly #watch: EngineExchangeWatch | undefined;
  #trailers: string[] = [];
  /** The response has been sent with all of its content, which is not empty. */
  isWhole = false;

  constructor(
    host: ResponseHost,
    stream: ServerHttp2Stream,
    { headOnly, upgradable }: Pick<Transport, "headOnly" | "upgradable">,
    watch: EngineExchangeWatch | undefined,
  ) {
    this.#host = host;
    this.#stream = stream;
    this.headOnly = headOnly;
    this.upgradable = upgradable;
    this.#watch = watch;
  }

  /** Whether nothing that is sent arrives any more. */
  get #isGone(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  informational(status: number, fields: string[]): void {
    if (this.#isGone || this.#stream.headersSent) return;
    this.#stream.additionalHeaders({ ...responseFields(fields), ":status": status });
  }

  sendWhole(
    status: number,
    fields: string[],
    content: string | Uint8Array,
    length: number | undefined,
  ): void {
    this.#host.responding(asksToClose(fields));
    const sent = this.#statusFor(status);
    this.#watch?.respond(sent, fields, length, 0);
    if (this.#isGone) return;
    const isBare = content.length === 0;
    if (!isBare) this.#watch?.sent(content);
    this.#respond(sent, fields, length, { endStream: isBare });
    if (isBare) return;
    this.isWhole = true;
    this.#stream.end(content);
  }

  sendHead(status: number, fields: string[], length: number | undefined): void {
    this.#host.responding(asksToClose(fields));
    const sent = this.#statusFor(status);
    this.#watch?.respond(sent, fields, length, 0);
    if (this.#isGone) return;
    const isBare = this.headOnly || forbidsContent(status);
    if (!isBare) {
      this.#stream.once("wantTrailers", () => {
        if (!this.#isGone) this.#stream.sendTrailers(responseFields(this.#trailers));
      });
    }
    this.#respond(sent, fields, length, isBare ? { endStream: true } : { waitForTrailers: true });
  }

  /**
   * The status that tells the client what the app's means. An extended CONNECT has opened its tunnel with any 2xx (RFC 8441
   * section 5), but here the app has not changed protocols.
   */
  #statusFor(status: number): number {
    return this.upgradable && status < 300 ? 501 : status;
  }

  #respond(
    status: number,
    fields: string[],
    length: number | undefined,
    options: { endStream?: boolean; waitForTrailers?: boolean },
  ): void {
    const headers = responseFields(fields);
    headers[":status"] = status;
    if (length !== undefined) headers["content-length"] = length;
    this.#stream.respond(headers, options);
  }

  write(chunk: string | Uint8Array): boolean {
    this.#watch?.sent(chunk);
    return this.#isGone || this.#stream.write(chunk);
  }

  whenWritable(): Promise<void> {
    const stream = this.#stream;
    return new Promise((resolve, reject) => {
      if (this.#isGone) return reject(new ClientGone());
      const drained = (): void => {
        stream.off("close", closed);
        resolve();
      };
      const closed = (): void => {
        stream.off("drain", drained);
        reject(new ClientGone());
      };
      stream.once("drain", drained);
      stream.once("close", closed);
    });
  }

  end(trailers: string[]): void {
    this.#trailers = trailers;
    if (!this.#isGone && !this.headOnly) this.#stream.end();
  }

  upgrade(fields: string[] | undefined): Duplex {
    return this.#host.upgrade(fields);
  }

  destroy(): void {
    this.#host.responseFailed();
    if (!this.#stream.destroyed) this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  /**
   * Sends the server's own response to a request that is not passed to the app.
   *
   * @param dressed as the app dresses it; undefined: the message is the content
   */
  refuse({ status, message }: HttpError, dressed: DressedAnswer | undefined): void {
    const { fields, content } = dressed ?? { fields: ["Content-Type", PLAIN_TYPE], content: `${message}\n` };
    this.sendWhole(status, fields, this.headOnly ? "" : content, lengthOf(content));
  }
}

export class StreamResponse extends ExchangeResponse {
  readonly #host: ResponseHost;

  /** @param describe makes the content of a 500 from the app's error; without it the content is the status only */
  constructor(
    sender: StreamSender,
    host: ResponseHost,
    onError: (error: Error, headSent: boolean) => void,
    describe?: DescribeError,
    dress?: DressError,
  ) {
    super(sender, onError, dress, describe);
    this.#host = host;
  }

  protected override completed(): void {
    this.#host.responseSent();
  }
}
