/** The requests and responses of the suite, over any transport. */
import type { Duplex } from "node:stream";
import { joinFields } from "../gateway/fields.ts";
import type { App, Fields, Handler } from "../gateway/types.ts";

/** A request as it is sent. */
export interface SuiteRequest {
  readonly method?: string;
  readonly target?: string;
  readonly httpVersion?: "1.0" | "1.1";
  /** Alternating names and values. Host and the framing fields are added if missing. */
  readonly headers?: readonly string[];
  /** An array is sent chunked. */
  readonly content?: string | Uint8Array | readonly string[];
  /** Alternating names and values; only with chunked content. */
  readonly trailers?: readonly string[];
}

export interface SuiteResponse {
  readonly status: number;
  readonly rawHeaders: readonly string[];
  readonly headers: Fields;
  readonly content: Buffer;
  readonly trailers: Fields;
  readonly rawTrailers: readonly string[];
  readonly informational: readonly { status: number; rawHeaders: readonly string[] }[];
  /** False if the connection ended before the response was complete. */
  readonly complete: boolean;
  readonly upgraded: Duplex | undefined;
}

export interface SuiteOptions {
  readonly rootPath?: string;
  /** Trusted proxies: addresses and ranges. */
  readonly forwardedAllowIps?: readonly string[];
  readonly bodyLimit?: number;
  /** In milliseconds. */
  readonly requestTimeout?: number;
  /** Called for each error that the server reports. */
  readonly onError: (error: Error, request: { readonly id: string }) => void;
}

/** A server under test, with its app. */
export interface Subject {
  /** Sends one request on a new connection and returns the response. */
  exchange(request: SuiteRequest): Promise<SuiteResponse>;
  /** Opens a connection; absent for servers without connections. */
  connect?(): Promise<Duplex>;
  /** Makes the worker drain, without waiting for the end. */
  drain?(): void;
  /** Shuts down the app and the server. A second call does nothing. */
  close(): Promise<void>;
}

export type StartSubject = (app: App | Handler, options: SuiteOptions) => Promise<Subject>;

/** All values of a field. */
export function values(raw: readonly string[], name: string): string[] {
  return raw.filter((_value, index) => index % 2 === 1 && raw[index - 1]?.toLowerCase() === name);
}

/** The fields of a request, with Host and framing fields added if missing. */
export function framedFields(request: SuiteRequest): string[] {
  const { headers = [], content, httpVersion = "1.1" } = request;
  const fields = [...headers];
  if (httpVersion === "1.1" && values(fields, "host").length === 0) fields.unshift("Host", "localhost");
  if (values(fields, "content-length").length + values(fields, "transfer-encoding").length > 0) return fields;
  if (Array.isArray(content)) fields.push("Transfer-Encoding", "chunked");
  else if (content !== undefined) fields.push("Content-Length", String(Buffer.byteLength(content as string)));
  return fields;
}

export function suiteResponse(parts: Omit<SuiteResponse, "headers" | "trailers">): SuiteResponse {
  return { ...parts, headers: joinFields(parts.rawHeaders), trailers: joinFields(parts.rawTrailers) };
}
