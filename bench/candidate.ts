/** A server under measurement: pinned to one core, with its CPU time read from /proc. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "../test/support/free-port.ts";

export interface CandidateSpec {
  readonly name: string;
  /** Arguments to node; PORT stands for the port. */
  readonly args: readonly string[];
  /** True when the serving process is the (only) child of the started one. */
  readonly serverIsChild: boolean;
}

export interface Candidate {
  readonly name: string;
  readonly url: string;
  /** CPU time used so far, in seconds. */
  cpu(): { user: number; system: number };
  stop(): Promise<void>;
}

/** Jiffies per second, as Linux reports CPU time to user space. */
const TICKS_PER_SECOND = 100;

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

function childOf(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
  if (children.length !== 1 || children[0] === "")
    throw new Error(`process ${pid} has not one child but: ${children}`);
  return Number(children[0]);
}

export async function startCandidate(spec: CandidateSpec, core: number): Promise<Candidate> {
  const port = await freePort();
  const args = spec.args.map((argument) => argument.replace("PORT", String(port)));
  const command = ["-c", String(core), process.execPath, ...args];
  const child = spawn("taskset", command, { stdio: ["ignore", "ignore", "inherit"] });
  const url = `http://127.0.0.1:${port}/hello?x=1`;
  await untilServing(url, child, spec.name);
  const pid = child.pid as number;
  const served = spec.serverIsChild ? childOf(pid) : pid;
  return {
    name: spec.name,
    url,
    cpu() {
      const fields = readFileSync(`/proc/${served}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
      return { user: Number(fields[11]) / TICKS_PER_SECOND, system: Number(fields[12]) / TICKS_PER_SECOND };
    },
    async stop() {
      child.kill("SIGTERM");
      if (child.exitCode === null) await once(child, "exit");
    },
  };
}
