/**
 * The access log's view of one connection of the engine, used again for each of its exchanges. A connection has one
 * only if the access log is on. It counts the exchanges as well.
 */
import { CLIENT_FIELDS, ForwardedClients } from "../../exchange/forwarded-client.ts";
import type { ProxyRules } from "../../exchange/proxy-rules.ts";
import { type ExchangeContext, ID_FIELD } from "../../exchange/request.ts";
import { FieldPicker, findField } from "../../http/field-picker.ts";
import type { RequestHead } from "../../http/request-head.ts";
import type { RequestEnd } from "../../log/access-entry.ts";
import type { AccessLog } from "../../log/access-log.ts";
import { LineMemo } from "../../log/line-memo.ts";
import { ExchangeLog } from "../exchange-log.ts";
import type { RequestMeter } from "../request-meter.ts";
import { parseRequestLine } from "../start-line.ts";
import {
  type EngineExchangeWatch,
  protocolOf,
  type ResponseFields,
  type WatchedRequest,
} from "./engine-exchange-watch.ts";

const PROTOCOLS = { "1.0": "HTTP/1.0", "1.1": "HTTP/1.1", "2.0": "HTTP/2.0" } as const;

/** A connection, as far as it is logged. */
export type LoggedContext = Pick<ExchangeContext, "peer" | "proxyRules" | "scheme">;

/** The parts that the logs of all connections of a server share. */
export class EngineExchangeLogs {
  readonly log: AccessLog;
  /** Finds clients behind trusted proxies; undefined if no proxy is trusted. */
  readonly clients: ForwardedClients | undefined;
  /** Finds the fields of a head that the format and the proxy rules read. */
  readonly picker: FieldPicker;
  /** Undefined if requests are not counted. */
  readonly meter: RequestMeter | undefined;
  /** The fields that the picker found in the head of one exchange. All share them, since each is logged at once. */
  readonly picked: (string | undefined)[] = [];
  #pickedFor: EngineExchangeLog | undefined;

  constructor(log: AccessLog, rules: ProxyRules | undefined, meter: RequestMeter | undefined) {
    this.log = log;
    this.meter = meter;
    this.clients = rules && new ForwardedClients(rules);
    const ours = rules === undefined ? [] : [...CLIENT_FIELDS, ID_FIELD];
    this.picker = new FieldPicker([...log.requestFields, ...ours]);
  }

  /** Sets the exchange whose fields are to be picked. Returns false if they have been already. */
  pickFor(exchange: EngineExchangeLog): boolean {
    if (this.#pickedFor === exchange) return false;
    this.#pickedFor = exchange;
    return true;
  }

  /** Forgets the fields of an exchange: they would hold its head in memory. */
  forget(exchange: EngineExchangeLog): void {
    if (this.#pickedFor !== exchange) return;
    this.#pickedFor = undefined;
    this.picker.clear(this.picked);
  }

  open(context: LoggedContext): EngineExchangeLog {
    return new EngineExchangeLog(this, context);
  }
}

export class EngineExchangeLog extends ExchangeLog implements EngineExchangeWatch {
  readonly #shared: EngineExchangeLogs;
  readonly #scheme: ExchangeContext["scheme"];
  #head: RequestHead | undefined;
  #request: WatchedRequest | undefined;
  /** The field section of a head that was refused before it was parsed. */
  #section = "";
  #fields: ResponseFields = "";
  #length: number | undefined;

  constructor(shared: EngineExchangeLogs, context: LoggedContext) {
    const { log, clients, meter } = shared;
    const client = {
      peer: context.peer,
      clients: context.proxyRules && clients,
      latest: { walk: undefined },
      memo: new LineMemo(),
    };
    super(log, client, meter);
    this.#shared = shared;
    this.#scheme = context.scheme;
  }

  protected get counted(): object | undefined {
    return this.#request?.counted ?? this.#request;
  }

  begin(head: RequestHead, startedAt: number): void {
    this.openCounted(head.method, head.target, protocolOf(head, this.#scheme), startedAt);
    this.#head = head;
    this.target = head.target;
    this.protocol = PROTOCOLS[head.httpVersion];
    this.bytes = 0;
    this.#fields = "";
    this.#length = undefined;
  }

  handOver(request: WatchedRequest): void {
    this.#request = request;
  }

  respond(status: number, fields: ResponseFields, length: number | undefined, bytes: number): void {
    this.status = status;
    this.bytes = bytes;
    this.#fields = fields;
    this.#length = length;
  }

  sent(content: string | Uint8Array): void {
    this.bytes += Buffer.byteLength(content);
  }

  override finish(end: RequestEnd): void {
    if (!this.isOpen) return;
    super.finish(end);
    this.#head = undefined;
    this.#request = undefined;
    this.#fields = "";
    this.#shared.forget(this);
  }

  refuse(status: number, received: string): void {
    if (!this.isOpen) this.#beginRefused(received);
    this.reject(status);
    this.finish(status === 408 ? "timeout" : "refused");
    this.#section = "";
  }

  endIncomplete(received: string, end: RequestEnd): void {
    if (end === "client-gone") this.neverWhole();
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
    super.measure(end);
    if (end === "client-gone" && this.status === 0) this.bytes = 0;
  }

  get id(): string {
    const request = this.#request;
    if (request === undefined) return "";
    return request.idFrom(this.trusted ? this.requestField(ID_FIELD) : undefined);
  }

  requestField(name: string): string | undefined {
    const shared = this.#shared;
    if (shared.pickFor(this)) this.#pick(shared);
    const index = shared.picker.indexOf(name);
    return index === -1 ? this.#head?.field(name) : shared.picked[index];
  }

  #pick({ picker, picked }: EngineExchangeLogs): void {
    if (this.#head === undefined) picker.pick(this.#section, picked);
    else this.#head.pick(picker, picked);
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
