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
import { ExchangeWatch } from "./exchange-watch.ts";
import type { RequestMeter } from "./request-meter.ts";

/** The client of a connection. Read it when the connection opens: a closed socket no longer knows its peer. */
export interface LoggedClient {
  readonly peer: Endpoint;
  /** Finds the client behind the peer; undefined unless the peer is a trusted proxy. */
  readonly clients: ForwardedClients | undefined;
  readonly latest: LatestClient;
  /** Text that the lines of the connection have in common. */
  readonly memo: LineMemo;
}

export abstract class ExchangeLog extends ExchangeWatch implements AccessEntry {
  target = "";
  protocol = "";
  bytes = 0;
  time = 0;
  end: RequestEnd = "complete";
  /** Shared by all exchanges of the connection. */
  readonly memo: LineMemo;
  readonly #latest: LatestClient;
  readonly #log: AccessLog;
  readonly #peer: Endpoint;
  readonly #clients: ForwardedClients | undefined;

  constructor(
    log: AccessLog,
    { peer, clients, latest, memo }: LoggedClient,
    meter: RequestMeter | undefined,
  ) {
    super(meter);
    this.memo = memo;
    this.#latest = latest;
    this.#log = log;
    this.#peer = peer;
    this.#clients = clients;
  }

  abstract override readonly id: string;
  abstract requestField(name: string): string | undefined;
  abstract responseField(name: string): string | undefined;

  override record(): RecordedRequest | undefined {
    if (!this.isOpen) return undefined;
    this.measure("complete");
    return this.#log.record(this);
  }

  /** Brings every field of the entry up to date. A subclass sets `status` and `bytes` first. */
  protected override measure(end: RequestEnd): void {
    super.measure(end);
    this.time = Date.now() - this.duration;
    this.end = end;
  }

  /** Writes the line. */
  protected override ended(): void {
    if (this.status === 0 && this.end !== "complete")
      this.status = this.end === "client-gone" ? CLIENT_GONE_STATUS : NO_RESPONSE_STATUS;
    this.#log.write(this);
  }

  get remote(): string {
    if (this.#clients === undefined) return this.#peer.address;
    return this.#clients.address(this, this.#peer, this.#latest);
  }

  get trusted(): boolean {
    return this.#clients !== undefined;
  }
}
