/**
 * A worker reports its open requests as JSON lines through the pipe for stall reports, so that the arbiter knows which
 * requests a dead worker lost. Plain data: the writer may be gone when a line is read.
 */

/** Writers truncate a request target to this many characters; that is enough to identify the request. */
export const MAX_TARGET_LENGTH = 500;

/** A request without a complete response. */
export interface RequestInFlight {
  readonly method: string;
  readonly target: string;
  /** Absent if finding it out would cost the request too much. */
  readonly id?: string;
  /** Arrival, in milliseconds since the epoch. */
  readonly since: number;
}

export type RequestReport =
  /** The process is ending; these are all its open requests. */
  | { readonly kind: "held"; readonly requests: readonly RequestInFlight[] }
  /** While requests are journaled: one arrived, some finished. */
  | { readonly kind: "begun"; readonly number: number; readonly request: RequestInFlight }
  | { readonly kind: "over"; readonly numbers: readonly number[] }
  /** Journaling has stopped. */
  | { readonly kind: "end" };

/** Parses one line; returns undefined if it is not a complete report. */
export function parseRequestReport(line: string): RequestReport | undefined {
  let report: unknown;
  try {
    report = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof report !== "object" || report === null) return undefined;
  const { kind, requests, number, request, numbers } = report as { [name: string]: unknown };
  const isComplete =
    (kind === "held" && Array.isArray(requests) && requests.every(isRequest)) ||
    (kind === "begun" && Number.isInteger(number) && isRequest(request)) ||
    (kind === "over" && Array.isArray(numbers)) ||
    kind === "end";
  return isComplete ? (report as RequestReport) : undefined;
}

function isRequest(value: unknown): boolean {
  const { method, target, since } = (value ?? {}) as Partial<RequestInFlight>;
  return typeof method === "string" && typeof target === "string" && typeof since === "number";
}
