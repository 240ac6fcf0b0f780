import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { killTree } from "../../../src/arbiter/workers/kill-tree.ts";
import { isAlive, temporaryFolder, until } from "../../support/command.ts";

/** A process with a child and a grandchild, all of which ignore SIGTERM. */
async function family(context: TestContext): Promise<{ parent: ChildProcess; pids: number[] }> {
  const own = `
    const { spawn } = require("node:child_process");
    process.on("SIGTERM", () => {});
    const [depth, code] = process.argv.slice(1);
    console.log(process.pid);
    if (depth > 0) spawn(process.execPath, ["-e", code, depth - 1, code], { stdio: "inherit" });
    setInterval(() => {}, 1000);
  `;
  const parent = spawn(process.execPath, ["-e", own, "2", own], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  parent.stdout.on("data", (text: Buffer) => {
    said += text;
  });
  const pids = (): number[] => said.trim().split("\n").map(Number);
  context.after(async () => {
    for (const pid of pids()) if (isAlive(pid)) process.kill(pid, "SIGKILL");
    if (parent.exitCode === null && parent.signalCode === null) await once(parent, "exit");
  });
  await until("all three processes run", () => pids().length === 3);
  return { parent, pids: pids() };
}

test("kills a process, its child and its grandchild before the call returns", async (context) => {
  const { parent, pids } = await family(context);
  killTree(parent);
  await until("all processes are gone", () => !pids.some(isAlive));
});

test("starts no other program, which would take time", async (context) => {
  const { parent, pids } = await family(context);
  const folder = temporaryFolder(context);
  const started = join(folder, "started");
  for (const program of ["ps", "pgrep"]) {
    writeFileSync(join(folder, program), `#!/bin/sh\ntouch ${started}\n`);
    chmodSync(join(folder, program), 0o755);
  }
  const { PATH } = process.env;
  context.after(() => {
    process.env.PATH = PATH;
  });
  process.env.PATH = `${folder}:${PATH}`;
  killTree(parent);
  await until("all processes are gone", () => !pids.some(isAlive));
  assert.equal(existsSync(started), false);
});

test("sends no signal after the call has returned, when pids may have been reused", async (context) => {
  const { parent, pids } = await family(context);
  const sent: unknown[] = [];
  const kill = context.mock.method(process, "kill", (pid: number, signal: string) => {
    sent.push([pid, signal]);
    return true;
  });
  killTree(parent);
  const during = sent.splice(0);
  assert.deepEqual(during, [...pids.map((pid) => [pid, "SIGSTOP"]), ...pids.map((pid) => [pid, "SIGKILL"])]);
  await pause(1500);
  assert.deepEqual(sent, []);
  kill.mock.restore();
});

test("sends nothing to a process that has ended", async (context) => {
  const child = spawn(process.execPath, ["-e", ""]);
  await once(child, "exit");
  const kill = context.mock.method(process, "kill", () => true);
  killTree(child);
  assert.equal(kill.mock.callCount(), 0);
  kill.mock.restore();
});
