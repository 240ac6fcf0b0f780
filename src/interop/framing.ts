/** Field rules shared by the transports of this folder: which fields an app may set, and what framing fields mean. */
import type { IncomingHttpHeaders } from "node:http";
import { isTrailerName } from "../gateway/fields.ts";
import type { Fields } from "../gateway/types.ts";

/** Framing and connection fields, which only the server may write. */
export const SERVER_FIELDS: ReadonlySet<string> = new Set([
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
]);

/** Whether `headers` contains a field that only the server may write. */
export function hasServerFields(headers: Headers): boolean {
  if (headers.has("connection")) return true;
  for (const name of SERVER_FIELDS) if (headers.has(name)) return true;
  return false;
}

/** The fields that an app may send, alternating names and values. Of Connection only `close` is kept. */
export function sendableFields(fields: readonly string[]): string[] {
  const sendable: string[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    const value = fields[index + 1] as string;
    const lower = name.toLowerCase();
    if (SERVER_FIELDS.has(lower)) continue;
    if (lower !== "connection") sendable.push(name, value);
    else if (hasOption(value, "close")) sendable.push(name, "close");
  }
  return sendable;
}

/**
 * The fields of a final response as sent: the app's sendable fields, and one Connection field that combines the app's
 * `close`, the transport's options in `connection`, and `upgrade` if there is an Upgrade field (RFC 9110 section 7.8).
 */
export function sentFields(fields: readonly string[], connection: readonly string[] = []): string[] {
  const sendable = sendableFields(fields);
  const options = new Set(connection);
  if (fieldValue(sendable, "connection") !== undefined) options.add("close");
  if (fieldValue(sendable, "upgrade") !== undefined) options.add("upgrade");
  const sent = sendable.filter((_text, index) => {
    return (sendable[index - (index % 2)] as string).toLowerCase() !== "connection";
  });
  if (options.size > 0) sent.push("Connection", [...options].join(", "));
  return sent;
}

/** Whether a comma-separated list, such as the value of Connection, contains `option`. */
export function hasOption(list: string | undefined, option: string): boolean {
  return list?.split(",").some((each) => each.trim().toLowerCase() === option) === true;
}

/** The value of the first field with this lower-case name. */
export function fieldValue(fields: readonly string[], name: string): string | undefined {
  for (let index = 0; index < fields.length; index += 2) {
    if ((fields[index] as string).toLowerCase() === name) return fields[index + 1];
  }
  return undefined;
}

/** Whether a request asks for a protocol change (gateway 4.6.1). */
export function asksForUpgrade(method: string, httpVersion: string, fields: Fields): boolean {
  if (method === "CONNECT") return true;
  return httpVersion === "1.1" && fields.upgrade !== undefined && hasOption(fields.connection, "upgrade");
}

/** Whether a request has content, according to its framing fields. CONNECT never has. */
export function hasContent(method: string | undefined, fields: IncomingHttpHeaders): boolean {
  if (method === "CONNECT") return false;
  return fields["transfer-encoding"] !== undefined || Number(fields["content-length"] ?? 0) > 0;
}

/** The trailer fields of a request that may reach the app (gateway 10.3). */
export function allowedTrailers(trailers: readonly string[]): string[] {
  return trailers.flatMap((name, index) =>
    index % 2 === 0 && isTrailerName(name) ? [name, trailers[index + 1] as string] : [],
  );
}
