/** Requests that the bench makes itself, to check the answers of a server before and after it was loaded. */
import { type IncomingMessage, request as makeRequest } from "node:http";
import { connect } from "node:http2";
import { request as makeSecureRequest } from "node:https";
import { setTimeout as delay } from "node:timers/promises";
import type { Address, Program } from "./running.ts";
import type { Protocol } from "./server.ts";

export interface Request {
  readonly method?: "GET" | "POST";
  readonly path: string;
  readonly headers?: { readonly [name: string]: string };
  readonly body?: string;
}

export interface Expected {
  readonly status: number;
  /** The content, or its length. */
  readonly content: string | { readonly length: number };
}

export interface Answer {
  readonly status: number;
  readonly length: number;
  /** The beginning of the content. */
  readonly text: string;
}

/** Limit for the first answer of a server that starts. */
const START_MS = 20_000;
/** Limit for a server to send or take nothing. */
const SILENCE_MS = 10_000;
const KEPT = 4096;

export function ask(address: Address, request: Request, protocol: Protocol = "http"): Promise<Answer> {
  if (protocol === "h2" || protocol === "h2c") return askHttp2(Number(address), request, protocol);
  return askHttp1(address, request, protocol === "https");
}

function askHttp1(
  address: Address,
  { method = "GET", path, headers = {}, body }: Request,
  isSecure: boolean,
): Promise<Answer> {
  const place = typeof address === "string" ? { socketPath: address } : { host: "127.0.0.1", port: address };
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
    const options = { ...place, method, path, agent: false, headers: { ...headers, ...length } };
    const make = isSecure ? makeSecureRequest : makeRequest;
    const request = make({ ...options, rejectUnauthorized: false }, (response: IncomingMessage) => {
      let size = 0;
      let text = "";
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (text.length < KEPT) text += chunk.toString("latin1", 0, KEPT);
      });
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, length: size, text }));
    });
    request.on("error", reject);
    request.setTimeout(SILENCE_MS, () => request.destroy(new Error(`silence for ${SILENCE_MS / 1000} s`)));
    request.end(body);
  });
}

function askHttp2(
  port: number,
  { method = "GET", path, headers = {}, body }: Request,
  protocol: "h2" | "h2c",
): Promise<Answer> {
  const scheme = protocol === "h2" ? "https" : "http";
  return new Promise((resolve, reject) => {
    const session = connect(`${scheme}://127.0.0.1:${port}`, { rejectUnauthorized: false });
    session.on("error", reject);
    const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
    const head = { ":method": method, ":path": path, ...headers, ...length };
    const stream = session.request(head, { endStream: body === undefined });
    let [status, size, text] = [0, 0, ""];
    stream.on("response", (fields) => {
      status = fields[":status"] ?? 0;
    });
    stream.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (text.length < KEPT) text += chunk.toString("latin1", 0, KEPT);
    });
    stream.on("error", reject);
    stream.on("end", () => {
      session.destroy();
      resolve({ status, length: size, text });
    });
    stream.setTimeout(SILENCE_MS, () => session.destroy(new Error(`silence for ${SILENCE_MS / 1000} s`)));
    if (body !== undefined) stream.end(body);
  });
}

/** Throws if a server's answer is not the expected one. */
export async function checkAnswer(
  name: string,
  address: Address,
  request: Request,
  expected: Expected,
  protocol: Protocol = "http",
): Promise<void> {
  const { status, length, text } = await ask(address, request, protocol);
  const fault = (what: string): Error =>
    new Error(`${name} answers ${request.method ?? "GET"} ${request.path} with ${what}`);
  if (status !== expected.status) throw fault(`status ${status} instead of ${expected.status}`);
  const { content } = expected;
  if (length !== content.length) throw fault(`${length} bytes of content instead of ${content.length}`);
  if (typeof content === "string" && text !== content)
    throw fault(`${JSON.stringify(text)} instead of the expected`);
}

/** Waits until a server that starts answers at all. */
export async function untilAnswering(
  program: Program,
  address: Address,
  request: Request,
  protocol: Protocol = "http",
): Promise<void> {
  const end = performance.now() + START_MS;
  for (;;) {
    if (program.hasEnded) throw new Error(`${program.name} ended before it answered:\n${program.output}`);
    try {
      await ask(address, request, protocol);
      return;
    } catch {
      if (performance.now() > end)
        throw new Error(`${program.name} did not answer in ${START_MS / 1000} s:\n${program.output}`);
      await delay(20);
    }
  }
}
