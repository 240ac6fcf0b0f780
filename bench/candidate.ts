/** A server under measurement, pinned to one core. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "../test/support/free-port.ts";
import { cpuOf } from "./cpu-time.ts";

export interface CandidateSpec {
  readonly name: string;
  /** Arguments to node; PORT stands for the port. */
  readonly args: readonly string[];
  /** Environment variables; PORT is always set. */
  readonly env?: { readonly [name: string]: string };
  /** A wrk script that makes the requests. Default: GET. */
  readonly script?: string;
  /** The path of its requests. Default: /hello?x=1. */
  readonly path?: string;
}

export interface Candidate {
  readonly name: string;
  readonly url: string;
  /** The started process. */
  readonly pid: number;
  readonly script: string | undefined;
  /** CPU time that all its processes have used so far, in nanoseconds. */
  cpu(): number;
  stop(): Promise<void>;
}

async function untilServing(url: string, child: ChildProcess, name: string): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (child.exitCode !== null)
      throw new Error(`${name} ended with code ${child.exitCode} before it answered`);
    try {
      const response = await fetch(url, { headers: { connection: "close" } });
      await response.text();
      return;
    } catch {
      await delay(50);
    }
  }
  throw new Error(`${name} did not answer at ${url} within 10 s`);
}

export async function startCandidate(spec: CandidateSpec, core: number): Promise<Candidate> {
  const port = await freePort();
  const args = spec.args.map((argument) => argument.replace("PORT", String(port)));
  const command = ["-c", String(core), process.execPath, ...args];
  const child = spawn("taskset", command, {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, ...spec.env, PORT: String(port) },
  });
  const url = `http://127.0.0.1:${port}${spec.path ?? "/hello?x=1"}`;
  await untilServing(url, child, spec.name);
  const pid = child.pid as number;
  return {
    name: spec.name,
    url,
    pid,
    script: spec.script,
    cpu: () => cpuOf(pid),
    async stop() {
      child.kill("SIGTERM");
      if (child.exitCode === null) await once(child, "exit");
    },
  };
}
