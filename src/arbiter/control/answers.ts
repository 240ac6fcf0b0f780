/**
 * Answers of workers, checked and bounded: the app runs in the same process, and may run as another user, so an answer
 * may be anything.
 */
import type { InFlight, InjectedResponse } from "../../ipc/question.ts";

const MAX_REQUESTS = 1000;
const MAX_TEXT = 2000;
const MAX_HEADERS = 1000;
/** Base64 of 1 MiB. */
const MAX_CONTENT = 1_400_000;

/** The requests in flight of an answer; those that are none are left out. */
export function readRequests(value: unknown): InFlight[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, MAX_REQUESTS).flatMap((each: unknown) => {
    if (typeof each !== "object" || each === null) return [];
    const { method, target, id, remote, age, bytesReceived, bytesSent } = each as Record<string, unknown>;
    if (typeof method !== "string" || typeof target !== "string") return [];
    return {
      method: text(method),
      target: text(target),
      id: text(id),
      remote: text(remote),
      age: amount(age) ?? 0,
      bytesReceived: amount(bytesReceived),
      bytesSent: amount(bytesSent),
    };
  });
}

/** The response of an answer; undefined if it is none. */
export function readResponse(value: unknown): InjectedResponse | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { status, headers, body, bytes, duration } = value as Record<string, unknown>;
  if (!Number.isInteger(status) || !Array.isArray(headers) || typeof body !== "string") return undefined;
  const content = body.slice(0, MAX_CONTENT);
  return {
    status: status as number,
    headers: headers.slice(0, MAX_HEADERS).flatMap((pair: unknown) => {
      const isPair = Array.isArray(pair) && typeof pair[0] === "string" && typeof pair[1] === "string";
      return isPair ? [[pair[0], pair[1]] as [string, string]] : [];
    }),
    body: content,
    bytes: amount(bytes) ?? 0,
    duration: amount(duration) ?? 0,
  };
}

function text(value: unknown): string {
  return typeof value === "string" ? value.slice(0, MAX_TEXT) : "";
}

function amount(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : null;
}
