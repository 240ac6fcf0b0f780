/**
 * A worker reports its open requests as a JSON line through the pipe for stall reports, so that the arbiter knows the ids
 * of those that a dead worker lost. Plain data: the writer may be gone when a line is read.
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

/** The process is ending; these are its open requests. */
export interface RequestReport {
  readonly kind: "held";
  readonly requests: readonly RequestInFlight[];
}

/** A report lists no more: a process has no more descriptors. */
const MAX_REQUESTS = 10_000;

/** Parses one line; returns undefined if it is not a complete report. The app can write to the pipe as well. */
export function parseRequestReport(line: string): RequestReport | undefined {
  let report: unknown;
  try {
    report = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof report !== "object" || report === null) return undefined;
  const { kind, requests } = report as { [name: string]: unknown };
  const isComplete = kind === "held" && Array.isArray(requests) && requests.every(isRequest);
  return isComplete ? { kind, requests: requests.slice(0, MAX_REQUESTS).map(bounded) } : undefined;
}

function isRequest(value: unknown): value is RequestInFlight {
  const { method, target, id, since } = (value ?? {}) as { readonly [name: string]: unknown };
  const isNamed = typeof method === "string" && typeof target === "string";
  return isNamed && typeof since === "number" && (id === undefined || typeof id === "string");
}

function bounded({ method, target, id, since }: RequestInFlight): RequestInFlight {
  const cut = (text: string): string => text.slice(0, MAX_TARGET_LENGTH);
  return { method: cut(method), target: cut(target), ...(id !== undefined && { id: cut(id) }), since };
}
