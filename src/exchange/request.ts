/**
 * A request as the app sees it, over any head. Only members that nearly every handler reads are set at once;
 * getters compute the others on first access, so that unused ones cost nothing.
 */
import { AsyncResource } from "node:async_hooks";
import { GatewayError } from "../errors.ts";
import { clause } from "../gateway/clauses.ts";
import { joinFields } from "../gateway/fields.ts";
import { isThenable } from "../gateway/thenable.ts";
import type { Endpoint, Fields, GatewayRequest, ProxyInfo, TlsInfo, WorkerInfo } from "../gateway/types.ts";
import { type Forwarded, forwardedFields, forwardedId, hostWithPort, readForwarded } from "./forwarded.ts";
import { MessageBody } from "./message-body.ts";
import type { ProxyRules } from "./proxy-rules.ts";
import { nextRequestNumber, requestId } from "./request-id.ts";
import { ROUTED, routedRequest } from "./route.ts";

/** The parts of a request that a server reads before its content. */
export interface ExchangeHead {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: GatewayRequest["httpVersion"];
  readonly rawHeaders: readonly string[];
  readonly upgrade: boolean;
  /** False if there is no X-Forwarded-Prefix; absent if the server does not know. */
  readonly prefixed?: boolean;
  /** The value of Host, empty without one; absent if the server does not know. */
  readonly host?: string;
  /** Returns a field by its lower-case name, repeated fields joined. Absent if the server would have to parse all fields. */
  field?(name: string): string | undefined;
  /** The request of another server, which this one was made of. */
  readonly source?: object;
}

/** The context shared by all requests of one connection. */
export interface ExchangeContext {
  readonly peer: Endpoint;
  readonly local: Endpoint;
  readonly scheme: "http" | "https";
  readonly tls?: TlsInfo | undefined;
  readonly proxy?: ProxyInfo | undefined;
  /** The prefix under which the app is mounted, unless a trusted proxy forwards another. */
  readonly rootPath: string;
  /** The rules for the peer's forwarded fields; undefined if the peer is not trusted. */
  readonly proxyRules: ProxyRules | undefined;
  readonly worker: WorkerInfo;
  readonly state: unknown;
  /** Keeps the worker until `work` has settled, and reports its rejection. */
  waitUntil(work: PromiseLike<unknown>, request: ExchangeRequest): void;
}

/** The timeout of a request. */
export interface RequestClock {
  /** Restarts it, in milliseconds. */
  extend(milliseconds: number): void;
}

/** Read of a trusted peer. */
export const ID_FIELD = "x-request-id";
const ABSOLUTE_FORM = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?]*)/;

export class ExchangeRequest implements GatewayRequest {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: GatewayRequest["httpVersion"];
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
  /** Aborts the signal in the async scope in which the app read it, so that its listeners run there. */
  #abortSignal: ((reason: Error) => void) | undefined;
  #abortReason: Error | undefined;
  readonly #clock: RequestClock | undefined;

  /**
   * @param body undefined for a request without content
   * @param clock undefined if requests have no timeout
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
    // The content precedes the protocol change (RFC 9110 section 7.8) and cannot be read once the connection is handed over.
    this.upgrade = head.upgrade && body === undefined;
    this.#head = head;
    this.#context = context;
    this.#body = body;
    this.#clock = clock;
  }

  /** Whether the request asks for a protocol change but has content. For servers. */
  get upgradesWithContent(): boolean {
    return this.#head.upgrade && !this.upgrade;
  }

  /** For `setRoute`. */
  get [ROUTED](): object {
    return routedRequest(this.#head.source) ?? this;
  }

  extend(milliseconds: number): void {
    if (!(milliseconds > 0))
      throw new GatewayError(clause.extend, `${milliseconds} is not a positive number of milliseconds`);
    this.#clock?.extend(milliseconds);
  }

  waitUntil(work: PromiseLike<unknown>): void {
    if (!isThenable(work))
      throw new GatewayError(clause.waiting, `waitUntil takes a promise, not ${typeof work}`);
    this.#context.waitUntil(work, this);
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
    return this.#forwardedInfo?.rootPath ?? this.#context.rootPath;
  }

  get scheme(): "http" | "https" {
    return this.#forwardedInfo?.scheme ?? this.#context.scheme;
  }

  /** The authority of an absolute-form target overrides Host (RFC 9112 section 3.2.2). */
  get host(): string {
    if (this.method === "CONNECT") return this.target;
    if (this.target.charCodeAt(0) !== 0x2f) {
      const absolute = ABSOLUTE_FORM.exec(this.target);
      if (absolute !== null) return absolute[1] as string;
    }
    const forwarded = this.#forwardedInfo;
    const host = forwarded?.host ?? this.#hostField ?? "";
    return forwarded?.port === undefined ? host : hostWithPort(host, forwarded.port, this.scheme);
  }

  /** Whether the peer is a trusted proxy. For servers and their logs. */
  get trusted(): boolean {
    return this.#context.proxyRules !== undefined;
  }

  /** The information forwarded by trusted proxies; undefined if there is none, or the peer is not trusted. */
  get #forwardedInfo(): Forwarded | undefined {
    if (this.#forwarded !== undefined) return this.#forwarded;
    const { proxyRules, peer } = this.#context;
    if (proxyRules === undefined) return undefined;
    const fields = forwardedFields(this.#head.rawHeaders);
    this.#forwarded = fields === undefined ? { remote: peer } : readForwarded(fields, peer, proxyRules);
    return this.#forwarded;
  }

  /** The Host field, without joining all fields, which is most of the cost of a fetch request's URL. */
  get #hostField(): string | undefined {
    if (this.#head.host !== undefined) return this.#head.host;
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
    return this.#forwardedInfo?.remote ?? this.#context.peer;
  }

  get peer(): Endpoint {
    return this.#context.peer;
  }

  get local(): Endpoint {
    return this.#context.local;
  }

  get tls(): TlsInfo | undefined {
    return this.#context.tls;
  }

  get proxy(): ProxyInfo | undefined {
    return this.#context.proxy;
  }

  get id(): string {
    if (this.#id !== undefined) return this.#id;
    const { proxyRules } = this.#context;
    return this.idFrom(proxyRules?.reads(ID_FIELD) === true ? this.#idField : undefined);
  }

  /** The id, for a log that has the X-Request-ID already. @param field its value */
  idFrom(field: string | undefined): string {
    const { proxyRules } = this.#context;
    this.#id ??= (proxyRules && forwardedId(field, proxyRules)) ?? requestId(nextRequestNumber());
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
      else {
        // `AsyncResource.bind` would cost ten times as much.
        const scope = new AsyncResource("TSGUN_SIGNAL");
        this.#abortSignal = (reason) => scope.runInAsyncScope(() => controller.abort(reason));
      }
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

  /** The reason of `signal`; undefined if it has not aborted. For servers. */
  get abortReason(): Error | undefined {
    return this.#abortReason;
  }

  /** Aborts `signal`: the response is no longer wanted. The first reason counts. For servers. */
  abort(reason: Error): void {
    if (this.#abortReason !== undefined) return;
    this.#abortReason = reason;
    this.#abortSignal?.(reason);
  }

  get #idField(): string | undefined {
    return this.#headers === undefined && this.#head.field
      ? this.#head.field(ID_FIELD)
      : this.headers[ID_FIELD];
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
