/** One exchange of a gateway app that is called as a fetch function: a Request in, a Response out. */
import type { Duplex } from "node:stream";
import { ReadableStream, type ReadableStreamDefaultController } from "node:stream/web";
import { BodyError, ClientGone, GatewayError } from "../errors.ts";
import type { Carrier } from "../exchange/answer.ts";
import { type BodySource, MessageBody } from "../exchange/message-body.ts";
import { clause } from "../gateway/clauses.ts";
import { fieldValue, sendableFields } from "./framing.ts";
import { type HostedApp, UNKNOWN_ENDPOINT } from "./hosted-app.ts";

/** Pushes the body of a Request at the pace of its reader. */
class RequestSource implements BodySource {
  readonly body: MessageBody;
  readonly #stream: NonNullable<Request["body"]>;
  #room: (() => void) | undefined;
  #paused = false;

  constructor(stream: NonNullable<Request["body"]>, length: number | undefined, limit: number) {
    this.#stream = stream;
    this.body = new MessageBody(length, this, limit);
  }

  start(): void {
    this.#send().catch((cause) =>
      this.body.fail(new BodyError(400, "the request body broke off", { cause })),
    );
  }

  async #send(): Promise<void> {
    for await (const chunk of this.#stream as unknown as AsyncIterable<Uint8Array>) {
      this.body.push(chunk);
      if (this.body.abandoned) return;
      if (!this.#paused) continue;
      await new Promise<void>((resolve) => {
        this.#room = resolve;
      });
    }
    this.body.end();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#room?.();
    this.#room = undefined;
  }
}

const HIGH_WATER = 65536;

export class FetchExchange implements Carrier {
  readonly headOnly: boolean;
  readonly upgradable = false;
  readonly #response: Promise<Response>;
  #resolve: (response: Response) => void = () => {};
  #reject: (error: Error) => void = () => {};
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #room: { promise: Promise<void>; resolve(): void; reject(error: Error): void } | undefined;
  #gone: Error | undefined;
  readonly #abandon: (error: Error) => void;

  constructor(hosted: HostedApp, request: Request) {
    this.headOnly = request.method === "HEAD";
    this.#response = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const url = new URL(request.url);
    const rawHeaders = [...request.headers].flat();
    if (!request.headers.has("host")) rawHeaders.unshift("host", url.host);
    const declared = fieldValue(rawHeaders, "content-length");
    const length = declared === undefined ? undefined : Number(declared);
    const source =
      request.body === null ? undefined : new RequestSource(request.body, length, hosted.bodyLimit);
    const head = {
      method: request.method,
      target: url.pathname + url.search,
      httpVersion: "1.1" as const,
      rawHeaders,
      upgrade: false,
    };
    const scheme = url.protocol === "https:" ? ("https" as const) : ("http" as const);
    const connection = { peer: UNKNOWN_ENDPOINT, local: UNKNOWN_ENDPOINT, scheme };
    const exchange = hosted.open(head, connection, source?.body, this);
    this.#abandon = (error) => {
      this.#gone = error;
      this.#room?.reject(error);
      exchange.request.abort(error);
      exchange.answer.abandon(error);
    };
    const leave = (): void => {
      const gone = new ClientGone();
      source?.body.fail(new BodyError(400, gone.message, { cause: gone }));
      this.#abandon(gone);
      this.#controller?.error(gone);
      this.#reject(gone);
    };
    if (request.signal.aborted) {
      leave();
      return;
    }
    request.signal.addEventListener("abort", leave, { once: true });
    const forget = (): void => request.signal.removeEventListener("abort", leave);
    exchange.answer.finished().then(forget, forget);
    hosted.run(exchange);
  }

  answer(): Promise<Response> {
    return this.#response;
  }

  informational(): void {
    // A Response has no place for informational answers.
  }

  upgrade(): Duplex {
    throw new GatewayError(clause.upgrade, "a fetch response cannot carry an upgrade");
  }

  whole(status: number, fields: string[], content: string | Uint8Array, length: number | undefined): void {
    const headers = headersOf(fields, length);
    const body = content.length === 0 || status === 204 || status === 304 ? null : content;
    this.#resolve(new Response(body as string | null, { status, headers }));
  }

  begin(status: number, fields: string[], length: number | undefined): void {
    const stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => {
          this.#room?.resolve();
          this.#room = undefined;
        },
        cancel: () => this.#abandon(new ClientGone()),
      },
      { highWaterMark: HIGH_WATER, size: (chunk) => chunk?.length ?? 0 },
    );
    const body = this.headOnly ? null : (stream as unknown as string);
    this.#resolve(new Response(body, { status, headers: headersOf(fields, length) }));
  }

  write(chunk: string | Uint8Array): boolean {
    this.#controller?.enqueue(Buffer.from(chunk as string));
    return (this.#controller?.desiredSize ?? 0) > 0;
  }

  room(): Promise<void> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    if ((this.#controller?.desiredSize ?? 0) > 0) return Promise.resolve();
    if (this.#room === undefined) {
      let resolve: () => void = () => {};
      let reject: (error: Error) => void = () => {};
      const promise = new Promise<void>((yes, no) => {
        resolve = yes;
        reject = no;
      });
      this.#room = { promise, resolve, reject };
    }
    return this.#room.promise;
  }

  end(): void {
    if (!this.headOnly) this.#controller?.close();
  }

  destroy(error: Error): void {
    this.#controller?.error(error);
    this.#reject(error);
  }
}

function headersOf(fields: string[], length: number | undefined): Headers {
  const headers = new Headers();
  const sendable = sendableFields(fields);
  for (let index = 0; index < sendable.length; index += 2) {
    headers.append(sendable[index] as string, sendable[index + 1] as string);
  }
  if (length !== undefined) headers.set("content-length", String(length));
  return headers;
}
