/** Reads the values of a request to the control interface. */
import { HttpError } from "../errors.ts";

/**
 * Returns a member of the request's JSON object; undefined if it is not there.
 * @throws HttpError 400 if the content is something else than an object
 */
export function objectMember(body: unknown, name: string): unknown {
  if (body === undefined) return undefined;
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new HttpError(400, "the request body is not a JSON object");
  }
  return (body as Record<string, unknown>)[name];
}

/** @throws HttpError 400 if it is not the number of a process */
export function processId(text: string | undefined): number {
  if (text === undefined || !/^\d+$/.test(text)) throw new HttpError(400, `${text} is not a process id`);
  return Number(text);
}

/** Leaves the query out of a request-target: it may hold a token, and the path identifies the request. */
export function withoutQuery(target: string): string {
  return target.replace(/[?#].*$/s, "");
}
