/** The load of TLS connections with a handshake each, of which all are full ones or all resume a session. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Core, onCore } from "./pinning.ts";
import { ROOT } from "./programs.ts";
import type { Load, LoadResult } from "./wrk.ts";

const PROGRAM = join(ROOT, "bench/measures/handshakes.mjs");

/** Throws if a handshake was of the other kind, or an answer not the expected one. */
export async function loadHandshakes(
  port: number,
  core: Core,
  kind: "full" | "resumed",
  { request, connections, seconds, length }: Load,
): Promise<LoadResult> {
  const args = [`${port}`, request.path, `${seconds}`, `${connections}`, kind, `${length}`];
  const [program, ...words] = onCore(core, [process.execPath, PROGRAM, ...args]);
  const { stdout } = await promisify(execFile)(program, words);
  return JSON.parse(stdout) as LoadResult;
}
