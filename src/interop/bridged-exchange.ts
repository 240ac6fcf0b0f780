/**
 * One exchange between a gateway server and a node request listener. It goes through a real http.Server over an in-memory
 * connection: this is its client.
 */
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { ClientGone } from "../errors.ts";
import { ROUTED, routedRequest } from "../exchange/route.ts";
import { fieldPairs } from "../gateway/fields.ts";
import type { GatewayRequest, Respond, ResponseWriter } from "../gateway/types.ts";
import { fieldLines } from "../http/response-head.ts";
import { STATUS_CODES } from "../native/http.ts";
import { duplexPair } from "./duplex-pair.ts";
import { fieldValue, sendableFields } from "./framing.ts";
import { ResponseReader } from "./response-reader.ts";
import { addSocketMembers } from "./socket-members.ts";

export class BridgedExchange {
  /** The server end, which Node treats as a connection. */
  readonly socket: Duplex;
  readonly #client: Duplex;
  readonly #request: GatewayRequest;
  readonly #respond: Respond;
  readonly #reader: ResponseReader;
  #writer: ResponseWriter | undefined;
  #content: Buffer[] = [];
  #trailers: [string, string][] = [];
  #upgraded: Duplex | undefined;
  #failure: unknown;
  #failed = false;
  #bodySent: boolean;
  /** Sends the body to the listener; set once the listener has begun to read. */
  #sending: Promise<void> | undefined;

  constructor(request: GatewayRequest, respond: Respond) {
    this.#request = request;
    this.#respond = respond;
    this.#bodySent = request.body.length === 0;
    [this.#client, this.socket] = duplexPair();
    this.#client.on("error", () => {});
    addSocketMembers(this.socket, request);
    this.#reader = new ResponseReader(request.method, {
      onInformational: (status, rawHeaders) => {
        // The gateway server sends 100 itself, when the body is first read.
        if (status !== 100) respond.informational(status, fieldPairs(rawHeaders));
      },
      onHead: (status, rawHeaders) => this.#onHead(status, rawHeaders),
      onContent: (chunk) => this.#content.push(chunk),
      onEnd: (rawTrailers) => {
        this.#trailers = fieldPairs(rawTrailers);
      },
    });
  }

  /** Sends the request to `server` and relays its response. */
  async serve(server: Server): Promise<void> {
    // If the client disconnects early, the listener sees a closed connection, as on a Node server.
    this.#respond.finished().catch(() => this.#client.destroy());
    this.#request.signal.addEventListener("abort", () => this.#halfClose(), { once: true });
    server.emit("connection", this.socket);
    this.#client.write(serializeHead(this.#request), "latin1");
    await this.#relay();
    if (this.#failed && this.#upgraded === undefined) throw this.#failure;
  }

  /** Repeats the client's half-close. An incomplete body fails by itself. */
  #halfClose(): void {
    if (this.#bodySent) this.#client.end();
  }

  async #relay(): Promise<void> {
    try {
      // Leaving the loop must not destroy the connection: an upgrade still needs it.
      for await (const bytes of this.#client.iterator({ destroyOnReturn: false })) {
        const rest = this.#reader.read(bytes);
        if (this.#upgraded !== undefined) {
          this.#join(this.#upgraded, rest);
          return;
        }
        await this.#forward();
        if (this.#reader.done) break;
      }
      if (!this.#reader.done) {
        this.#reader.end();
        await this.#forward();
      }
      // A listener may go on reading after its response.
      await this.#sending;
    } catch (error) {
      if (error instanceof ClientGone) this.#fail(error);
      // If the listener or the body has failed, #fail keeps that first error.
      else
        this.#fail(
          new Error("the listener closed its connection before the response was complete", { cause: error }),
        );
    } finally {
      if (this.#upgraded === undefined) this.#client.destroy();
    }
  }

  #onHead(status: number, rawHeaders: string[]): void {
    if (status === 101) {
      this.#upgraded = this.#respond.upgrade(fieldPairs(rawHeaders));
      return;
    }
    if (this.#request.method === "CONNECT" && status < 300) {
      this.#upgraded = this.#respond.upgrade();
      const line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
      this.#upgraded.write(`${line}${fieldLines(sendableFields(rawHeaders))}\r\n`, "latin1");
      return;
    }
    this.#writer = this.#respond(status, fieldPairs(sendableFields(rawHeaders)));
    // Flush, or ending the writer would send Content-Length: 0, though GET may have content.
    const silent = this.#request.method === "HEAD" && fieldValue(rawHeaders, "content-length") === undefined;
    if (silent) this.#writer.flush().catch(() => {});
  }

  async #forward(): Promise<void> {
    if (this.#writer === undefined) return;
    const content = this.#content.length === 1 ? this.#content[0] : Buffer.concat(this.#content);
    this.#content = [];
    if (this.#reader.done) await this.#writer.end(content, this.#trailers);
    else if (content !== undefined && content.length > 0) await this.#writer.write(content);
    else await this.#writer.flush();
  }

  #join(upgraded: Duplex, rest: Buffer): void {
    if (rest.length > 0) upgraded.write(rest);
    this.#client.pipe(upgraded).pipe(this.#client);
    // The pipes pass on a normal end; any other close must destroy the other side too.
    upgraded
      .on("error", () => {})
      .on("close", () => {
        if (!upgraded.readableEnded) this.#client.destroy();
      });
    this.#client.on("close", () => {
      if (!this.#client.readableEnded) upgraded.destroy();
    });
  }

  /** Runs the listener once Node has created its objects. */
  run(request: IncomingMessage, listen: () => unknown): void {
    request.url = listenerUrl(this.#request);
    Object.defineProperty(request, ROUTED, { value: routedRequest(this.#request) });
    this.#readOnDemand(request);
    try {
      Promise.resolve(listen()).catch((error: unknown) => this.fail(error));
    } catch (error) {
      this.fail(error);
    }
  }

  fail(error: unknown): void {
    this.#fail(error);
    this.#client.destroy();
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#failure = error;
  }

  /** Defers reading: Node's server would read ahead, but the client's content must wait for the listener's first read. */
  #readOnDemand(request: IncomingMessage): void {
    if (this.#request.body.length === 0) return;
    const read = request._read;
    request._read = (size) => {
      // Node reads the rest of the body after the response. The gateway server decides about that, so ignore it.
      if ((request as { _dumped?: boolean })._dumped === true) return;
      request._read = read;
      this.#sending = this.#sendBody().catch((error: unknown) => this.fail(error));
      read.call(request, size);
    };
  }

  async #sendBody(): Promise<void> {
    const { body } = this.#request;
    const chunked = body.length === undefined;
    for await (const piece of body) {
      if (chunked) this.#client.write(`${piece.length.toString(16)}\r\n`);
      const room = this.#client.write(piece);
      if (chunked) this.#client.write("\r\n");
      if (!room && !(await hasRoom(this.#client))) return;
    }
    if (chunked) this.#client.write(`0\r\n${fieldLines(this.#request.rawTrailers)}\r\n`, "latin1");
    this.#bodySent = true;
    if (this.#request.signal.aborted) this.#halfClose();
  }
}

function hasRoom(stream: Duplex): Promise<boolean> {
  return new Promise((resolve) => {
    if (stream.destroyed) resolve(false);
    stream.once("drain", () => resolve(true)).once("close", () => resolve(false));
  });
}

/** Removes Upgrade, or Node would treat the connection as upgraded even if the gateway server ignores the request for it. */
function withoutUpgrade(raw: readonly string[]): readonly string[] {
  if (fieldValue(raw, "upgrade") === undefined) return raw;
  return raw.filter((_text, index) => (raw[index - (index % 2)] as string).toLowerCase() !== "upgrade");
}

function serializeHead(request: GatewayRequest): string {
  const rawHeaders = request.upgrade ? request.rawHeaders : withoutUpgrade(request.rawHeaders);
  const framed =
    request.body.length !== undefined || fieldValue(rawHeaders, "transfer-encoding") !== undefined;
  const line = `${request.method} ${request.target} HTTP/${request.httpVersion}\r\n`;
  return `${line}${fieldLines(rawHeaders)}${framed ? "" : "Transfer-Encoding: chunked\r\n"}\r\n`;
}

/** The target as received, unless a middleware has changed the path, for example to mount the app. */
function listenerUrl(request: GatewayRequest): string {
  const { target, path, query } = request;
  if (!target.startsWith("/") || target === path || target.startsWith(`${path}?`)) return target;
  return query === "" ? path : `${path}?${query}`;
}
