/**
 * What a worker tells of the requests in its hands, through the pipe of its stall reports: lines of JSON, from which the
 * arbiter knows what a dead worker took along. Plain data: the writer may be gone when a line is read.
 */

/** A writer cuts a target to so many characters: more of it names no request better. */
export const LONGEST_TARGET = 500;

/** A request that has no complete answer. */
export interface HeldRequest {
  readonly method: string;
  readonly target: string;
  /** Absent where finding it out would cost the request more than it is worth. */
  readonly id?: string;
  /** When it came, in milliseconds since the epoch. */
  readonly since: number;
}

export type RequestReport =
  /** The process ends, and these are all it has. */
  | { readonly kind: "held"; readonly requests: readonly HeldRequest[] }
  /** While requests are journaled: one has come, and some are over. */
  | { readonly kind: "begun"; readonly number: number; readonly request: HeldRequest }
  | { readonly kind: "over"; readonly numbers: readonly number[] }
  /** They are not journaled any more. */
  | { readonly kind: "end" };

/** Reads one line; `undefined` when it is no whole report. */
export function parseRequestReport(line: string): RequestReport | undefined {
  let report: unknown;
  try {
    report = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof report !== "object" || report === null) return undefined;
  const { kind, requests, number, request, numbers } = report as { [name: string]: unknown };
  const whole =
    (kind === "held" && Array.isArray(requests) && requests.every(isRequest)) ||
    (kind === "begun" && Number.isInteger(number) && isRequest(request)) ||
    (kind === "over" && Array.isArray(numbers)) ||
    kind === "end";
  return whole ? (report as RequestReport) : undefined;
}

function isRequest(value: unknown): boolean {
  const { method, target, since } = (value ?? {}) as Partial<HeldRequest>;
  return typeof method === "string" && typeof target === "string" && typeof since === "number";
}
