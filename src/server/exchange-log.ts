/**
 * The access log's view of one exchange, the same for both servers. The line is written once, when the exchange ends,
 * however it ends. A subclass supplies what only its server knows: the id, the fields, and the status and bytes sent.
 */
import type { ForwardedClients, LatestClient } from "../exchange/forwarded-client.ts";
import type { Endpoint } from "../gateway/types.ts";
import type { RecordedRequest } from "../ipc/stall-report.ts";
import {
  type AccessEntry,
  CLIENT_GONE_STATUS,
  NO_RESPONSE_STATUS,
  type RequestEnd,
} from "../log/access-entry.ts";
import type { AccessLog } from "../log/access-log.ts";
import type { LineMemo } from "../log/line-memo.ts";
import { parseStatus } from "./start-line.ts";

/** The client of a connection. Read it when the connection opens: a closed socket no longer knows its peer. */
export interface LoggedClient {
  readonly peer: Endpoint;
  /** Finds the client behind the peer; undefined unless the peer is a trusted proxy. */
  readonly clients: ForwardedClients | undefined;
  readonly latest: LatestClient;
  /** Text that the lines of the connection have in common. */
  readonly memo: LineMemo;
}

export abstract class ExchangeLog implements AccessEntry {
  method = "";
  target = "";
  protocol = "";
  status = 0;
  bytes = 0;
  time = 0;
  duration = 0;
  end: RequestEnd = "complete";
  /** Shared by all exchanges of the connection. */
  readonly memo: LineMemo;
  readonly #latest: LatestClient;
  readonly #log: AccessLog;
  readonly #peer: Endpoint;
  readonly #clients: ForwardedClients | undefined;
  #isOpen = false;
  #startedAt = 0;
  #reason: RequestEnd | undefined;

  constructor(log: AccessLog, { peer, clients, latest, memo }: LoggedClient) {
    this.memo = memo;
    this.#latest = latest;
    this.#log = log;
    this.#peer = peer;
    this.#clients = clients;
  }

  abstract readonly id: string;
  abstract requestField(name: string): string | undefined;
  abstract responseField(name: string): string | undefined;

  /** Whether an exchange is under way whose line has not been written. */
  protected get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Starts an exchange. @param startedAt when its request arrived, as in `performance.now()` */
  protected open(startedAt: number): void {
    this.#isOpen = true;
    this.#startedAt = startedAt;
    this.#reason = undefined;
  }

  /** Sets the reason why the exchange will fail. The first reason and the first status stand. */
  setReason(reason: RequestEnd, status = 0): void {
    if (!this.#isOpen) return;
    this.#reason ??= reason;
    if (this.status === 0) this.status = status;
  }

  /** Ends the exchange and writes its line, unless that has been done. */
  finish(end: RequestEnd): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.measure(this.#reason ?? end);
    this.#log.write(this);
  }

  /** Ends an upgrade with the first bytes that the app has sent on the bare connection, usually a status line. */
  upgraded(first: string | Uint8Array): void {
    this.status = parseStatus(first) ?? 101;
    this.finish(this.status < 300 ? "upgraded" : "complete");
  }

  /** The exchange as it is now, for the line of a worker that hangs; undefined if none is under way. */
  record(): RecordedRequest | undefined {
    if (!this.#isOpen) return undefined;
    this.measure("complete");
    return this.#log.record(this);
  }

  /** Brings every field of the entry up to date. A subclass sets `status` and `bytes` first. */
  protected measure(end: RequestEnd): void {
    this.duration = performance.now() - this.#startedAt;
    this.time = Date.now() - this.duration;
    this.end = end;
    if (this.status !== 0 || end === "complete") return;
    this.status = end === "client-gone" ? CLIENT_GONE_STATUS : NO_RESPONSE_STATUS;
  }

  get remote(): string {
    if (this.#clients === undefined) return this.#peer.address;
    return this.#clients.address(this, this.#peer, this.#latest);
  }

  get trusted(): boolean {
    return this.#clients !== undefined;
  }
}
