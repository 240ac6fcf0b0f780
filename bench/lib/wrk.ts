/** The load of HTTP requests: wrk, on its own core. */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Request } from "./answer.ts";
import { type Core, onCore } from "./pinning.ts";
import { requireProgram } from "./programs.ts";
import type { Protocol } from "./server.ts";

export interface Load {
  readonly request: Request;
  readonly connections: number;
  readonly seconds: number;
  /** Requests sent at once on a connection. */
  readonly pipelined?: number;
  readonly protocol?: Protocol | undefined;
  /** Streams that are open at once on each connection of HTTP/2. */
  readonly streams?: number | undefined;
  /** Bytes of content that each answer must have, at least. */
  readonly length: number;
}

export interface LoadResult {
  readonly requests: number;
  /** Requests per second. */
  readonly rate: number;
}

/** A wrk script for what its flags do not say. */
function script({ request, pipelined }: Load): string | undefined {
  const lines: string[] = [];
  if (request.method !== undefined) lines.push(`wrk.method = ${JSON.stringify(request.method)}`);
  if (request.body !== undefined) lines.push(`wrk.body = ${luaText(request.body)}`);
  if (pipelined !== undefined)
    lines.push(
      "local requests",
      `init = function() requests = string.rep(wrk.format(), ${pipelined}) end`,
      "request = function() return requests end",
    );
  return lines.length === 0 ? undefined : `${lines.join("\n")}\n`;
}

/** A Lua expression of a text; long runs of one character are not written out. */
function luaText(text: string): string {
  if (text.length > 100_000 && text === text[0]?.repeat(text.length))
    return `string.rep(${JSON.stringify(text[0])}, ${text.length})`;
  return JSON.stringify(text);
}

const UNITS: { readonly [unit: string]: number } = {
  B: 1,
  KB: 2 ** 10,
  MB: 2 ** 20,
  GB: 2 ** 30,
  TB: 2 ** 40,
};

/** The bytes that wrk has read. It prints two decimals. */
function bytesRead(stdout: string): number {
  const [, number, unit = ""] = /, ([\d.]+)([KMGT]?B) read/.exec(stdout) ?? [];
  return Number(number) * (UNITS[unit] ?? Number.NaN);
}

/**
 * Loads a server for some seconds, and throws if an answer is not 2xx or if the answers were too short on the whole.
 * `folder` takes the script.
 */
export async function load(port: number, core: Core, folder: string, options: Load): Promise<LoadResult> {
  const { request, connections, seconds } = options;
  const wrk = requireProgram("wrk", "apt-get install wrk");
  const scheme = options.protocol ?? "http";
  const headers = Object.entries(request.headers ?? {}).flatMap(([name, value]) => [
    "-H",
    `${name}: ${value}`,
  ]);
  // On a busy machine a request may wait for long, which says nothing about its cost.
  const flags = ["-t1", "--timeout", "60s", `-c${connections}`, `-d${seconds}s`, ...headers];
  const text = script(options);
  if (text !== undefined) {
    const file = join(folder, "wrk.lua");
    writeFileSync(file, text);
    flags.push("-s", file);
  }
  const [program, ...words] = onCore(core, [wrk, ...flags, `${scheme}://127.0.0.1:${port}${request.path}`]);
  const { stdout } = await promisify(execFile)(program, words);
  // A server that closes without saying so in its answer is found out by reading: wrk calls that an error.
  const closes = request.headers?.Connection === "close";
  const errors = closes ? /Non-2xx|Socket errors: connect [^0]/ : /Non-2xx|Socket errors/;
  if (errors.test(stdout)) throw new Error(`it failed under load:\n${stdout}`);
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1]);
  if (!(requests > 0)) throw new Error(`it answered nothing under load:\n${stdout}`);
  // wrk prints a rounded number.
  if (!(bytesRead(stdout) > 0.98 * requests * options.length))
    throw new Error(`its answers were too short under load:\n${stdout}`);
  return { requests, rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]) };
}
