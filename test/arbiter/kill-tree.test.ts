import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { killTree } from "../../src/arbiter/kill-tree.ts";
import { isAlive, temporaryFolder, until } from "../support/command.ts";

/** A process with a child and a grandchild, none of which ends for a gentle word; returns the three. */
async function family(context: TestContext): Promise<number[]> {
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
  await until("all three run", () => pids().length === 3);
  return pids();
}

test("kills a process, its child and its grandchild", async (context) => {
  const pids = await family(context);
  await killTree(pids[0] as number);
  await until("all are gone", () => !pids.some(isAlive));
});

test("also where there is no ps to ask", async (context) => {
  const pids = await family(context);
  const { PATH } = process.env;
  context.after(() => {
    process.env.PATH = PATH;
  });
  process.env.PATH = "/nowhere";
  await killTree(pids[0] as number);
  await until("all are gone", () => !pids.some(isAlive));
});

test("a ps that is slow is not waited for, and leaves no zombie behind", async (context) => {
  const pids = await family(context);
  const folder = temporaryFolder(context);
  const started = join(folder, "started");
  writeFileSync(
    join(folder, "ps"),
    `#!/bin/sh\necho $$ > ${started}.new\nmv ${started}.new ${started}\nsleep 2\nexit 1\n`,
  );
  chmodSync(join(folder, "ps"), 0o755);
  const { PATH } = process.env;
  context.after(() => {
    process.env.PATH = PATH;
  });
  process.env.PATH = `${folder}:${PATH}`;
  await killTree(pids[0] as number);
  await until("all are gone", () => !pids.some(isAlive));
  const ps = await until(
    "ps has been started",
    () => existsSync(started) && readFileSync(started, "utf8").trim(),
  );
  await until("ps is gone and reaped", () => !existsSync(`/proc/${ps}`));
});

test("one that has ended is no error", async () => {
  const child = spawn(process.execPath, ["-e", ""]);
  await once(child, "exit");
  await killTree(child.pid as number);
});
