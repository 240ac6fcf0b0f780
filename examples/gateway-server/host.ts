/** The server, as an exchange sees it. */
import type { GatewayRequest, WorkerInfo } from "tsgun/gateway";
import type { Pairs } from "./fields.ts";
import type { Body } from "./sources.ts";

export interface Host {
  readonly worker: WorkerInfo;
  readonly state: unknown;
  readonly rootPath: string;
  /** In bytes. */
  readonly bodyLimit: number;
  /** Until the head of an answer, in milliseconds. */
  readonly requestTimeout: number | undefined;
  nextId(): string;
  report(error: Error, id: string): void;
  /** Keeps `shutdown` waiting. */
  watch(work: Promise<void>): void;
  /** The answers that the server makes (11.7). */
  dress(status: number, error: Error, request: GatewayRequest | undefined): { fields: Pairs; body: Body };
}
