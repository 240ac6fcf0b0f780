/** An app that writes to its channels to the arbiter what no worker would: the arbiter serves on, and its log stays true. */
import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ask } from "../support/ask.ts";
import { FIXTURES, isAlive, startCommand, temporaryFolder } from "../support/command.ts";

const OBJECT = { toString: 1, valueOf: 1 };

const MESSAGES: readonly unknown[] = [
  null,
  "ready",
  ["ready"],
  { type: "boot-step", step: OBJECT, of: OBJECT },
  { type: "loaded", files: [null, OBJECT] },
  { type: "answer", number: 1, answer: null },
  { type: "due", why: "constructor", amount: OBJECT },
  { type: "beat", connections: OBJECT, requests: "x", notReady: OBJECT },
  { type: "ready", serving: OBJECT },
];

function reports(pid: number): readonly unknown[] {
  const stuck = { kind: "stuck", pid, stack: ["at \n[1] [CRITICAL] forged"], children: [null, OBJECT] };
  return [
    null,
    { ...stuck, blockedForMs: OBJECT, mainThread: "constructor", inFlight: [null, { record: OBJECT }] },
    { ...stuck, inFlight: OBJECT },
    { ...stuck, pid: pid + 100_000, stack: ["of another process"] },
    { kind: "returned", pid, stack: [OBJECT], children: [OBJECT] },
    { kind: "held", requests: [{ method: "GET", target: "/", since: 1, id: OBJECT }] },
    { lastWords: { kind: "exit", message: OBJECT, stack: OBJECT } },
    { kind: "examined", number: 1, isFinal: false, result: OBJECT },
    { kind: "recovered", pid, stack: [], children: [] },
  ];
}

test("whatever an app sends to the arbiter, the arbiter serves on", async (context) => {
  const folder = temporaryFolder(context);
  copyFileSync(join(FIXTURES, "faults", "hostile.mjs"), join(folder, "app.mjs"));
  const socket = join(folder, "c.ctl");
  const words = [
    "app.mjs",
    "-b",
    "127.0.0.1:0",
    "-w",
    "1",
    "--no-access-logfile",
    "--control-socket",
    socket,
  ];
  const command = startCommand(context, words, { cwd: folder });
  await command.ready();
  const target = { host: "127.0.0.1", port: await command.port() };
  const { pid: arbiter = 0 } = command.process;
  for (const message of MESSAGES) await ask(target, "/send", JSON.stringify({ tsgun: message }));
  const { text: pid } = await ask(target, "/pid");
  for (const report of reports(Number(pid))) await ask(target, "/report", JSON.stringify(report));
  // Half a line, and one that is far too long.
  await ask(target, "/report", `{"kind":"stuck","pid":${pid}`);
  await ask(target, "/report", "x".repeat(50_000));
  await command.line(/CRITICAL\] forged/);
  const { status, text } = await ask({ path: socket }, "/workers");
  assert.equal(status, 200);
  assert.equal(JSON.parse(text).length, 1);
  assert.ok(isAlive(arbiter), "the arbiter runs");
  assert.equal((await ask(target, "/pid")).text, pid, "and so does the worker");
  assert.doesNotMatch(command.stderr, /^\[1\] \[CRITICAL\] forged/m);
  assert.doesNotMatch(command.stderr, /of another process/);
  assert.doesNotMatch(command.stderr, /Uncaught exception/);
});
