/** What the suite sends and what it gets back, whatever carries it. */
import type { Duplex } from "node:stream";
import { joinFields } from "../../src/gateway/fields.ts";
import type { App, Fields, Handler } from "../../src/gateway/types.ts";

/** A request, in the terms of the wire. */
export interface SuiteRequest {
  readonly method?: string;
  readonly target?: string;
  readonly httpVersion?: "1.0" | "1.1";
  /** Names and values in turn. Host is added where it is missing, and what frames the content. */
  readonly headers?: readonly string[];
  /** An array is sent in chunks. */
  readonly content?: string | Uint8Array | readonly string[];
  /** Names and values in turn; only with chunks. */
  readonly trailers?: readonly string[];
}

export interface SuiteAnswer {
  readonly status: number;
  readonly rawHeaders: readonly string[];
  readonly headers: Fields;
  readonly content: Buffer;
  readonly trailers: Fields;
  readonly rawTrailers: readonly string[];
  readonly informational: readonly { status: number; rawHeaders: readonly string[] }[];
  /** False when the connection was broken off before the answer was complete. */
  readonly complete: boolean;
  readonly upgraded: Duplex | undefined;
}

export interface SuiteOptions {
  readonly rootPath?: string;
  /** Peers whose word of others counts: addresses and ranges. */
  readonly forwardedAllowIps?: readonly string[];
  readonly bodyLimit?: number;
  /** In milliseconds. */
  readonly requestTimeout?: number;
  /** To be called for each error that the server reports. */
  readonly onError: (error: Error, request: { readonly id: string }) => void;
}

/** A server with an app in it. */
export interface Subject {
  /** Sends one request on a connection of its own and returns the answer. */
  exchange(request: SuiteRequest): Promise<SuiteAnswer>;
  /** A connection, for servers that have any. */
  connect?(): Promise<Duplex>;
  /** Makes the worker drain; not awaited to its end. */
  drain?(): void;
  /** Ends the app's life and the server. The second call does nothing. */
  close(): Promise<void>;
}

export type StartSubject = (app: App | Handler, options: SuiteOptions) => Promise<Subject>;

/** All values of a field. */
export function values(raw: readonly string[], name: string): string[] {
  return raw.filter((_value, index) => index % 2 === 1 && raw[index - 1]?.toLowerCase() === name);
}

/** Host, and how the content is framed, where they are missing. */
export function framedFields(request: SuiteRequest): string[] {
  const { headers = [], content, httpVersion = "1.1" } = request;
  const fields = [...headers];
  if (httpVersion === "1.1" && values(fields, "host").length === 0) fields.unshift("Host", "localhost");
  if (values(fields, "content-length").length + values(fields, "transfer-encoding").length > 0) return fields;
  if (Array.isArray(content)) fields.push("Transfer-Encoding", "chunked");
  else if (content !== undefined) fields.push("Content-Length", String(Buffer.byteLength(content as string)));
  return fields;
}

export function suiteAnswer(parts: Omit<SuiteAnswer, "headers" | "trailers">): SuiteAnswer {
  return { ...parts, headers: joinFields(parts.rawHeaders), trailers: joinFields(parts.rawTrailers) };
}
