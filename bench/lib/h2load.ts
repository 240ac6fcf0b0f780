/** The load of requests over HTTP/2: h2load, on its own core. */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Core, onCore } from "./pinning.ts";
import { requireProgram } from "./programs.ts";
import type { Load, LoadResult } from "./wrk.ts";

/**
 * Loads a server for some seconds, and throws if an answer is not 2xx or if the answers were too short on the whole.
 * `folder` takes the content of the requests.
 */
export async function loadHttp2(
  port: number,
  core: Core,
  folder: string,
  { request, connections, seconds, protocol, streams = 1, length }: Load,
): Promise<LoadResult> {
  const h2load = requireProgram("h2load", "apt-get install nghttp2-client");
  const headers = Object.entries(request.headers ?? {}).flatMap(([name, value]) => [
    "-H",
    `${name}: ${value}`,
  ]);
  const flags = ["-t1", `-c${connections}`, `-m${streams}`, `-D${seconds}`, ...headers];
  if (request.body !== undefined) {
    const file = join(folder, "content");
    writeFileSync(file, request.body);
    flags.push("-d", file);
  }
  const scheme = protocol === "h2" ? "https" : "http";
  const url = `${scheme}://127.0.0.1:${port}${request.path}`;
  const [program, ...words] = onCore(core, [h2load, ...flags, url]);
  const { stdout } = await promisify(execFile)(program, words);
  const number = (pattern: RegExp): number => Number(pattern.exec(stdout)?.[1]);
  const requests = number(/, (\d+) succeeded,/);
  if (!(requests > 0)) throw new Error(`it answered nothing under load:\n${stdout}`);
  const isClean = /, 0 failed, 0 errored, 0 timeout$/m.test(stdout);
  if (!isClean || number(/^status codes: (\d+) 2xx/m) < requests)
    throw new Error(`it failed under load:\n${stdout}`);
  if (number(/ \((\d+)\) data$/m) < requests * length)
    throw new Error(`its answers were too short under load:\n${stdout}`);
  return { requests, rate: number(/, ([\d.]+) req\/s/) };
}
