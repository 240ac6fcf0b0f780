/**
 * A request as the app sees it, over any head. Only what nearly every handler reads is made at once;
 * a getter below makes its value at the first touch, and that is what keeps an untouched one free.
 */
import { AsyncResource } from "node:async_hooks";
import { GatewayError } from "../errors.ts";
import { clause } from "../gateway/clauses.ts";
import { joinFields } from "../gateway/fields.ts";
import type { Endpoint, Fields, GatewayRequest, WorkerInfo } from "../gateway/types.ts";
import { type Forwarded, forwardedId, hostWithPort, namesForwarded, readForwarded } from "./forwarded.ts";
import { MessageBody } from "./message-body.ts";
import type { ProxyRules } from "./proxy-rules.ts";
import { nextRequestNumber, requestId } from "./request-id.ts";

/** What a server has read of a request before its content. */
export interface ExchangeHead {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: "1.0" | "1.1";
  readonly rawHeaders: readonly string[];
  readonly upgrade: boolean;
  /** False where there is no X-Forwarded-Prefix; a server that does not know leaves it out. */
  readonly prefixed?: boolean;
  /** The field with this name in lower case, several joined; a server that has to cut up all of them leaves it out. */
  field?(name: string): string | undefined;
}

/** What is the same for all requests of one connection. */
export interface ExchangeContext {
  readonly peer: Endpoint;
  readonly local: Endpoint;
  readonly scheme: "http" | "https";
  /** The prefix under which the app is mounted, where no trusted proxy says otherwise. */
  readonly rootPath: string;
  /** How the peer is believed; undefined where it is not trusted. */
  readonly proxyRules: ProxyRules | undefined;
  readonly worker: WorkerInfo;
  readonly state: unknown;
}

/** Restarts the clock of a request, in milliseconds. */
export type RequestClock = (milliseconds: number) => void;

const ID_FIELD = "x-request-id";
const ABSOLUTE_FORM = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?]*)/;

export class ExchangeRequest implements GatewayRequest {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: "1.0" | "1.1";
  readonly upgrade: boolean;
  readonly #head: ExchangeHead;
  readonly #context: ExchangeContext;
  #body: MessageBody | undefined;
  #headers: Fields | undefined;
  #forwarded: Forwarded | undefined;
  #trailers: Fields | undefined;
  #path: string | undefined;
  #query = "";
  #id: string | undefined;
  #signal: AbortSignal | undefined;
  /** Aborts the signal, in the async scope in which the app asked for it: that of its listeners. */
  #abortSignal: ((reason: Error) => void) | undefined;
  #abortReason: Error | undefined;
  readonly #clock: RequestClock | undefined;

  /**
   * @param body undefined for a request without content
   * @param clock undefined where requests have no time limit
   */
  constructor(
    head: ExchangeHead,
    context: ExchangeContext,
    body: MessageBody | undefined,
    clock?: RequestClock,
  ) {
    this.method = head.method;
    this.target = head.target;
    this.httpVersion = head.httpVersion;
    // Content comes first (RFC 9110 section 7.8), and nobody can read it on a connection that is given away.
    this.upgrade = head.upgrade && body === undefined;
    this.#head = head;
    this.#context = context;
    this.#body = body;
    this.#clock = clock;
  }

  /** Whether the request asks to change protocols, but has content. For servers. */
  get upgradesWithContent(): boolean {
    return this.#head.upgrade && !this.upgrade;
  }

  extend(milliseconds: number): void {
    if (!(milliseconds > 0))
      throw new GatewayError(clause.extend, `${milliseconds} is no time in milliseconds`);
    this.#clock?.(milliseconds);
  }

  get path(): string {
    if (this.#path === undefined) this.#splitTarget();
    return this.#path as string;
  }

  get query(): string {
    if (this.#path === undefined) this.#splitTarget();
    return this.#query;
  }

  get rootPath(): string {
    if (this.#head.prefixed === false) return this.#context.rootPath;
    return this.#told?.rootPath ?? this.#context.rootPath;
  }

  get scheme(): "http" | "https" {
    return this.#told?.scheme ?? this.#context.scheme;
  }

  /** RFC 9112 section 3.2.2: the authority of an absolute-form target wins over Host. */
  get host(): string {
    if (this.method === "CONNECT") return this.target;
    if (this.target.charCodeAt(0) !== 0x2f) {
      const absolute = ABSOLUTE_FORM.exec(this.target);
      if (absolute !== null) return absolute[1] as string;
    }
    const host = this.#told?.host ?? this.#hostField ?? "";
    return this.#told?.port === undefined ? host : hostWithPort(host, this.#told.port, this.scheme);
  }

  /** Whether the peer is one of the proxies whose word counts. For servers and their logs. */
  get trusted(): boolean {
    return this.#context.proxyRules !== undefined;
  }

  /** What trusted proxies say; undefined where the peer is none. */
  get #told(): Forwarded | undefined {
    if (this.#forwarded !== undefined) return this.#forwarded;
    const { proxyRules, peer } = this.#context;
    if (proxyRules !== undefined)
      this.#forwarded = namesForwarded(this.#head.rawHeaders)
        ? readForwarded(this.headers, peer, proxyRules)
        : { remote: peer };
    return this.#forwarded;
  }

  /** Without joining the fields, which is most of what the URL of a fetch request costs. */
  get #hostField(): string | undefined {
    if (this.#headers !== undefined) return this.#headers.host;
    const raw = this.#head.rawHeaders;
    for (let index = 0; index < raw.length; index += 2) {
      const name = raw[index] as string;
      if (name.length === 4 && name.toLowerCase() === "host") return raw[index + 1];
    }
    return undefined;
  }

  get headers(): Fields {
    this.#headers ??= joinFields(this.#head.rawHeaders);
    return this.#headers;
  }

  get rawHeaders(): readonly string[] {
    return this.#head.rawHeaders;
  }

  get remote(): Endpoint {
    return this.#told?.remote ?? this.#context.peer;
  }

  get peer(): Endpoint {
    return this.#context.peer;
  }

  get local(): Endpoint {
    return this.#context.local;
  }

  get id(): string {
    this.#id ??= this.#givenId() ?? requestId(nextRequestNumber());
    return this.#id;
  }

  get body(): MessageBody {
    this.#body ??= new MessageBody(0);
    return this.#body;
  }

  get trailers(): Fields {
    const raw = this.rawTrailers;
    if (raw.length === 0) return joinFields(raw);
    this.#trailers ??= joinFields(raw);
    return this.#trailers;
  }

  get rawTrailers(): readonly string[] {
    return this.body.rawTrailers;
  }

  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      const controller = new AbortController();
      this.#signal = controller.signal;
      if (this.#abortReason !== undefined) controller.abort(this.#abortReason);
      else this.#abortSignal = AsyncResource.bind((reason: Error) => controller.abort(reason));
    }
    return this.#signal;
  }

  get draining(): boolean {
    return this.#context.worker.drain.aborted;
  }

  get worker(): WorkerInfo {
    return this.#context.worker;
  }

  get state(): unknown {
    return this.#context.state;
  }

  /** Nobody waits for the answer any more. For servers; the first reason stands. */
  abort(reason: Error): void {
    if (this.#abortReason !== undefined) return;
    this.#abortReason = reason;
    this.#abortSignal?.(reason);
  }

  #givenId(): string | undefined {
    const { proxyRules } = this.#context;
    if (proxyRules === undefined) return undefined;
    const id =
      this.#headers === undefined && this.#head.field ? this.#head.field(ID_FIELD) : this.headers[ID_FIELD];
    return forwardedId(id, proxyRules);
  }

  #splitTarget(): void {
    let target = this.target;
    if (target.charCodeAt(0) !== 0x2f) {
      const absolute = ABSOLUTE_FORM.exec(target);
      if (absolute !== null) target = target.slice(absolute[0].length);
      else if (this.method === "CONNECT") target = "";
    }
    const mark = target.indexOf("?");
    this.#query = mark === -1 ? "" : target.slice(mark + 1);
    const path = mark === -1 ? target : target.slice(0, mark);
    const root = this.rootPath;
    const mounted = root !== "" && (path === root || path.startsWith(`${root}/`));
    this.#path = (mounted ? path.slice(root.length) : path) || (this.method === "CONNECT" ? "" : "/");
  }
}
