/** Requests that the bench makes itself, to check the answers of a server before and after it was loaded. */
import { type IncomingMessage, request as makeRequest } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import type { Address, Program } from "./running.ts";

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

export function ask(
  address: Address,
  { method = "GET", path, headers = {}, body }: Request,
): Promise<Answer> {
  const place = typeof address === "string" ? { socketPath: address } : { host: "127.0.0.1", port: address };
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
    const options = { ...place, method, path, agent: false, headers: { ...headers, ...length } };
    const request = makeRequest(options, (response: IncomingMessage) => {
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

/** Throws if a server's answer is not the expected one. */
export async function checkAnswer(
  name: string,
  address: Address,
  request: Request,
  expected: Expected,
): Promise<void> {
  const { status, length, text } = await ask(address, request);
  const fault = (what: string): Error =>
    new Error(`${name} answers ${request.method ?? "GET"} ${request.path} with ${what}`);
  if (status !== expected.status) throw fault(`status ${status} instead of ${expected.status}`);
  const { content } = expected;
  if (length !== content.length) throw fault(`${length} bytes of content instead of ${content.length}`);
  if (typeof content === "string" && text !== content)
    throw fault(`${JSON.stringify(text)} instead of the expected`);
}

/** Waits until a server that starts answers at all. */
export async function untilAnswering(program: Program, address: Address, request: Request): Promise<void> {
  const end = performance.now() + START_MS;
  for (;;) {
    if (program.hasEnded) throw new Error(`${program.name} ended before it answered:\n${program.output}`);
    try {
      await ask(address, request);
      return;
    } catch {
      if (performance.now() > end)
        throw new Error(`${program.name} did not answer in ${START_MS / 1000} s:\n${program.output}`);
      await delay(20);
    }
  }
}
