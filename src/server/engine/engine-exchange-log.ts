/**
 * The access log's view of one connection: it follows the request under way and writes its line when it ends, once,
 * however it ends. A connection has one only where the access log is on.
 */
import { CLIENT_FIELDS, ForwardedClients } from "../../exchange/forwarded-client.ts";
import type { ProxyRules } from "../../exchange/proxy-rules.ts";
import type { ExchangeContext, ExchangeRequest } from "../../exchange/request.ts";
import type { Endpoint } from "../../gateway/types.ts";
import { FieldPicker, fieldIn } from "../../http/field-picker.ts";
import type { RequestHead } from "../../http/request-parser.ts";
import type { RecordedRequest } from "../../ipc/stall-report.ts";
import { type AccessEntry, CLIENT_GONE, NO_ANSWER, type RequestEnd } from "../../log/access-entry.ts";
import type { AccessLog } from "../../log/access-log.ts";
import { parseRequestLine, parseStatus } from "../start-line.ts";

/** The fields of an answer: lines ready to be sent, or names and values in turn. */
type AnswerFields = string | readonly string[];

/** What the logs of all connections of a server share. */
export class EngineExchangeLogs {
  readonly log: AccessLog;
  /** Finds clients behind proxies; undefined where none is trusted. */
  readonly clients: ForwardedClients | undefined;
  /** Finds what the format and the proxies' word take of a head. */
  readonly picker: FieldPicker;

  constructor(log: AccessLog, rules: ProxyRules | undefined) {
    this.log = log;
    this.clients = rules && new ForwardedClients(rules);
    this.picker = new FieldPicker([...log.requestFields, ...(rules === undefined ? [] : CLIENT_FIELDS)]);
  }

  open(context: ExchangeContext): EngineExchangeLog {
    return new EngineExchangeLog(this, context);
  }
}

export class EngineExchangeLog implements AccessEntry {
  method = "";
  target = "";
  protocol = "";
  status = 0;
  bytes = 0;
  time = 0;
  duration = 0;
  end: RequestEnd = "complete";
  readonly #log: AccessLog;
  readonly #picker: FieldPicker;
  readonly #peer: Endpoint;
  /** Undefined where the peer is not trusted. */
  readonly #clients: ForwardedClients | undefined;
  readonly #readField = (name: string): string | undefined => this.requestField(name);
  #open = false;
  #startedAt = 0;
  #head: RequestHead | undefined;
  #request: ExchangeRequest | undefined;
  /** The field section, where a head was refused before it became one. */
  #section = "";
  /** What the picker found in the head, once something was asked. */
  #picked: (string | undefined)[] | undefined;
  #fields: AnswerFields = "";
  #length: number | undefined;
  #reason: RequestEnd | undefined;

  constructor({ log, clients, picker }: EngineExchangeLogs, context: ExchangeContext) {
    this.#log = log;
    this.#picker = picker;
    // Asked for now: a closed socket does not know any more whom it was connected to.
    this.#peer = context.peer;
    this.#clients = context.proxyRules && clients;
  }

  // ---- what the connection tells

  /** A request has come; `startedAt` is when, as `performance.now()` has it. */
  begin(head: RequestHead, startedAt: number): void {
    this.#open = true;
    this.#startedAt = startedAt;
    this.#head = head;
    this.method = head.method;
    this.target = head.target;
    this.protocol = head.httpVersion === "1.1" ? "HTTP/1.1" : "HTTP/1.0";
    this.status = 0;
    this.bytes = 0;
    this.#fields = "";
    this.#length = undefined;
    this.#reason = undefined;
  }

  /** It is the app's to answer. */
  handOver(request: ExchangeRequest): void {
    this.#request = request;
  }

  /** The head of a final answer is sent. `length` is what Content-Length says. */
  answer(status: number, fields: AnswerFields, length: number | undefined): void {
    this.status = status;
    this.#fields = fields;
    this.#length = length;
  }

  /** Why it will end, if it does not end well. The first reason stands. */
  because(reason: RequestEnd): void {
    if (this.#open) this.#reason ??= reason;
  }

  /** The request is over: its line is written, unless it has been. */
  finish(end: RequestEnd): void {
    if (!this.#open) return;
    this.#open = false;
    this.#measure(this.#reason ?? end);
    this.#log.write(this);
    this.#head = undefined;
    this.#request = undefined;
    this.#fields = "";
    this.#picked = undefined;
  }

  /** A request was refused and answered; if its head was not whole, `received` is what had come of it. */
  refuse(status: number, received: string): void {
    if (!this.#open) this.#beginRefused(received);
    this.finish(status === 408 ? "timeout" : "refused");
    this.#section = "";
  }

  /** A head will never be whole: `received` is what had come of it. */
  broke(received: string, end: RequestEnd): void {
    this.#beginRefused(received);
    this.status = 0;
    this.bytes = 0;
    this.finish(end);
    this.#section = "";
  }

  #beginRefused(received: string): void {
    const [method, target, protocol] = parseRequestLine(received);
    this.#open = true;
    this.#startedAt = performance.now();
    this.method = method;
    this.target = target;
    this.protocol = protocol;
    this.#reason = undefined;
    const lineEnd = received.indexOf("\r\n");
    this.#section = lineEnd === -1 ? "" : received.slice(lineEnd + 2);
  }

  /** The app, which was given the bare connection, has sent its first bytes: most likely a status line. */
  upgraded(first: Uint8Array): void {
    this.status = parseStatus(first) ?? 101;
    this.finish(this.status < 300 ? "upgraded" : "complete");
  }

  /** For a worker that is stuck: the request under way as it is now. */
  record(): RecordedRequest | undefined {
    if (!this.#open) return undefined;
    this.#measure("complete");
    return this.#log.record(this);
  }

  #measure(end: RequestEnd): void {
    this.duration = performance.now() - this.#startedAt;
    this.time = Date.now() - this.duration;
    this.end = end;
    if (end === "complete") return;
    if (end === "client-gone" && (this.status === 0 || this.status >= 500)) {
      // An app whose client has gone may fail for it: nobody was told that.
      this.status = CLIENT_GONE;
      this.bytes = 0;
    } else if (this.status === 0) {
      this.status = NO_ANSWER;
    }
  }

  // ---- what the format asks

  get remote(): string {
    return this.#clients === undefined
      ? this.#peer.address
      : this.#clients.address(this.#readField, this.#peer);
  }

  get id(): string {
    return this.#request?.id ?? "";
  }

  get trusted(): boolean {
    return this.#clients !== undefined;
  }

  requestField(name: string): string | undefined {
    this.#picked ??= this.#head?.pick(this.#picker) ?? this.#picker.pick(this.#section);
    const place = this.#picker.placeOf(name);
    return place === undefined ? this.#head?.field(name) : this.#picked[place];
  }

  responseField(name: string): string | undefined {
    const fields = this.#fields;
    if (name === "content-length") return this.#length === undefined ? undefined : String(this.#length);
    if (typeof fields === "string") return fieldIn(fields, name);
    for (let index = 0; index < fields.length; index += 2) {
      if ((fields[index] as string).toLowerCase() === name) return fields[index + 1];
    }
    return undefined;
  }
}
