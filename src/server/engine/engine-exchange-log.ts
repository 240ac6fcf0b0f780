/**
 * The access log's view of one connection of the engine, used again for each of its exchanges. A connection has one
 * only if the access log is on.
 */
import { CLIENT_FIELDS, ForwardedClients } from "../../exchange/forwarded-client.ts";
import type { ProxyRules } from "../../exchange/proxy-rules.ts";
import { type ExchangeContext, type ExchangeRequest, ID_FIELD } from "../../exchange/request.ts";
import { FieldPicker, findField } from "../../http/field-picker.ts";
import type { RequestHead } from "../../http/request-head.ts";
import type { RequestEnd } from "../../log/access-entry.ts";
import type { AccessLog } from "../../log/access-log.ts";
import { LineMemo } from "../../log/line-memo.ts";
import { ExchangeLog } from "../exchange-log.ts";
import { parseRequestLine } from "../start-line.ts";

/** The fields of a response: lines ready to send, or alternating names and values. */
type ResponseFields = string | readonly string[];

/** The parts that the logs of all connections of a server share. */
export class EngineExchangeLogs {
  readonly log: AccessLog;
  /** Finds clients behind trusted proxies; undefined if no proxy is trusted. */
  readonly clients: ForwardedClients | undefined;
  /** Finds the fields of a head that the format and the proxy rules read. */
  readonly picker: FieldPicker;

  constructor(log: AccessLog, rules: ProxyRules | undefined) {
    this.log = log;
    this.clients = rules && new ForwardedClients(rules);
    const ours = rules === undefined ? [] : [...CLIENT_FIELDS, ID_FIELD];
    this.picker = new FieldPicker([...log.requestFields, ...ours]);
  }

  open(context: ExchangeContext): EngineExchangeLog {
    return new EngineExchangeLog(this, context);
  }
}

export class EngineExchangeLog extends ExchangeLog {
  readonly #picker: FieldPicker;
  #head: RequestHead | undefined;
  #request: ExchangeRequest | undefined;
  /** The field section of a head that was refused before it was parsed. */
  #section = "";
  /** The fields that the picker found in the head, once one of them is read. */
  readonly #picked: (string | undefined)[] = [];
  #hasPicked = false;
  #fields: ResponseFields = "";
  #length: number | undefined;
  /** Whether the client went before a head was sent. */
  #wentFirst = false;

  constructor({ log, clients, picker }: EngineExchangeLogs, context: ExchangeContext) {
    super(log, {
      peer: context.peer,
      clients: context.proxyRules && clients,
      latest: { walk: undefined },
      memo: new LineMemo(),
    });
    this.#picker = picker;
  }

  /** Starts an exchange. @param startedAt when its request arrived, as in `performance.now()` */
  begin(head: RequestHead, startedAt: number): void {
    this.open(startedAt);
    this.#head = head;
    this.method = head.method;
    this.target = head.target;
    this.protocol = head.httpVersion === "1.1" ? "HTTP/1.1" : "HTTP/1.0";
    this.status = 0;
    this.bytes = 0;
    this.#fields = "";
    this.#length = undefined;
    this.#wentFirst = false;
  }

  override setReason(reason: RequestEnd, status = 0): void {
    if (reason === "client-gone" && this.status === 0) this.#wentFirst = true;
    super.setReason(reason, status);
  }

  /** Sets the request that the app was called with. */
  handOver(request: ExchangeRequest): void {
    this.#request = request;
  }

  /** Sets what the head of the final response says; `length` is its Content-Length. */
  respond(status: number, fields: ResponseFields, length: number | undefined): void {
    this.status = status;
    this.#fields = fields;
    this.#length = length;
  }

  override finish(end: RequestEnd): void {
    if (!this.isOpen) return;
    super.finish(end);
    this.#head = undefined;
    this.#request = undefined;
    this.#fields = "";
    // They would hold the head in memory while the connection is idle.
    if (this.#hasPicked) this.#picker.clear(this.#picked);
    this.#hasPicked = false;
  }

  /** Ends a request that was refused and answered. @param received what had arrived, if its head was incomplete */
  refuse(status: number, received: string): void {
    if (!this.isOpen) this.#beginRefused(received);
    this.finish(status === 408 ? "timeout" : "refused");
    this.#section = "";
  }

  /** Logs a request whose head will never be complete. @param received what had arrived of it */
  logIncomplete(received: string, end: RequestEnd): void {
    this.#beginRefused(received);
    this.status = 0;
    this.bytes = 0;
    this.finish(end);
    this.#section = "";
  }

  #beginRefused(received: string): void {
    const [method, target, protocol] = parseRequestLine(received);
    this.open(performance.now());
    this.method = method;
    this.target = target;
    this.protocol = protocol;
    const lineEnd = received.indexOf("\r\n");
    this.#section = lineEnd === -1 ? "" : received.slice(lineEnd + 2);
  }

  protected override measure(end: RequestEnd): void {
    // An app may fail because its client has gone: that error status reached no client. One sent before stands.
    if (end === "client-gone" && (this.status === 0 || (this.#wentFirst && this.status >= 500))) {
      this.status = 0;
      this.bytes = 0;
    }
    super.measure(end);
  }

  get id(): string {
    const request = this.#request;
    if (request === undefined) return "";
    return request.idFrom(this.trusted ? this.requestField(ID_FIELD) : undefined);
  }

  requestField(name: string): string | undefined {
    if (!this.#hasPicked) this.#pick();
    const index = this.#picker.indexOf(name);
    return index === -1 ? this.#head?.field(name) : this.#picked[index];
  }

  #pick(): void {
    this.#hasPicked = true;
    if (this.#head === undefined) this.#picker.pick(this.#section, this.#picked);
    else this.#head.pick(this.#picker, this.#picked);
  }

  responseField(name: string): string | undefined {
    const fields = this.#fields;
    if (name === "content-length") return this.#length === undefined ? undefined : String(this.#length);
    if (typeof fields === "string") return findField(fields, name);
    for (let index = 0; index < fields.length; index += 2) {
      if ((fields[index] as string).toLowerCase() === name) return fields[index + 1];
    }
    return undefined;
  }
}
