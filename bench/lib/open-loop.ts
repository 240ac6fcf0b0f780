/**
 * A load that does not wait: requests are sent when they are due, whether the earlier ones have been answered or not, as
 * those of many independent clients are. A load with a fixed number of connections slows down with its server, and
 * shows no overload. Times count from when a request was due.
 */
import { Agent, request as makeRequest } from "node:http";
import type { Address } from "./running.ts";
import { percentile } from "./statistics.ts";

export interface OpenLoopOptions {
  readonly address: Address;
  readonly path: string;
  /** Requests a second. */
  readonly rate: number;
  readonly seconds: number;
  /** A connection for each request. Default: connections are kept. */
  readonly fresh?: boolean;
}

/** The outcomes of the requests. Times are milliseconds; NaN without any such request. */
export interface OpenLoopResult {
  readonly sent: number;
  /** Answered with 200. */
  readonly accepted: number;
  /** The same within the time of the load, by the second. */
  readonly goodput: number;
  readonly acceptedP50: number;
  readonly acceptedP99: number;
  /** Answered with 503. */
  readonly refused: number;
  readonly refusedP99: number;
  /** Not answered: reset, refused by the kernel, or for longer than a client waits. */
  readonly failed: number;
}

/** How long a client waits. */
const PATIENCE_MS = 10_000;

/** Sends at random times (exponentially distributed gaps), and waits for what has been sent. */
export async function openLoop({
  address,
  path,
  rate,
  seconds,
  fresh = false,
}: OpenLoopOptions): Promise<OpenLoopResult> {
  const place = typeof address === "string" ? { socketPath: address } : { host: "127.0.0.1", port: address };
  const agent = new Agent({ keepAlive: !fresh, maxSockets: Number.POSITIVE_INFINITY });
  const accepted: number[] = [];
  const refused: number[] = [];
  let failed = 0;
  let inTime = 0;
  const startedAt = performance.now();
  const end = startedAt + seconds * 1000;
  const ask = (due: number): Promise<void> =>
    new Promise((resolve) => {
      const fail = (): void => {
        failed += 1;
        resolve();
      };
      const outgoing = makeRequest({ ...place, path, agent }, (response) => {
        response.resume();
        response.once("end", () => {
          const now = performance.now();
          (response.statusCode === 200 ? accepted : refused).push(now - due);
          if (response.statusCode === 200 && now <= end) inTime += 1;
          resolve();
        });
        response.once("error", fail);
      });
      outgoing.setTimeout(PATIENCE_MS, () => outgoing.destroy(new Error("no answer")));
      outgoing.once("error", fail);
      outgoing.end();
    });
  const all: Promise<void>[] = [];
  for (let due = startedAt; due < end; due += (-Math.log(1 - Math.random()) * 1000) / rate) {
    const early = due - performance.now();
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
    all.push(ask(due));
  }
  await Promise.all(all);
  agent.destroy();
  return {
    sent: all.length,
    accepted: accepted.length,
    goodput: inTime / seconds,
    acceptedP50: percentile(accepted, 0.5),
    acceptedP99: percentile(accepted, 0.99),
    refused: refused.length,
    refusedP99: percentile(refused, 0.99),
    failed,
  };
}

/** The rate of answers with 200 that a few clients get, each of which asks again as soon as it has been answered. */
export async function closedLoop(
  { address, path, seconds }: Omit<OpenLoopOptions, "rate">,
  clients: number,
): Promise<number> {
  const place = typeof address === "string" ? { socketPath: address } : { host: "127.0.0.1", port: address };
  const agent = new Agent({ keepAlive: true });
  const end = performance.now() + seconds * 1000;
  let answered = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < end) {
      const status = await new Promise<number>((resolve, reject) => {
        const outgoing = makeRequest({ ...place, path, agent }, (response) => {
          response.resume();
          response.once("end", () => resolve(response.statusCode ?? 0));
          response.once("error", reject);
        });
        outgoing.once("error", reject);
        outgoing.end();
      });
      if (status === 200) answered += 1;
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  agent.destroy();
  return answered / seconds;
}
