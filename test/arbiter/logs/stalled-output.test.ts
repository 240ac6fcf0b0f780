/** A server whose output has no active reader: it keeps serving, can be controlled, and stops in time. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { ask } from "../../support/ask.ts";
import {
  COMMAND,
  childrenOf,
  cleanUp,
  FIXTURES,
  isAlive,
  temporaryFolder,
  until,
} from "../../support/command.ts";

/** More lines of 7 kB than an unread Unix socket buffers. */
const REQUESTS = 80;

test("standard output to an unread Unix socket delays neither requests nor the stop", async (context) => {
  const folder = temporaryFolder(context);
  const path = join(folder, "log.sock");
  const journal = createServer({ pauseOnConnect: true }).listen(path);
  const accepted = once(journal, "connection") as Promise<[Socket]>;
  const output = connect(path);
  await once(output, "connect");
  const [reader] = await accepted;
  const args = ["pool/echo.mjs", "-w", "2", "-b", `unix:${join(folder, "app.sock")}`];
  const control = join(folder, "c.ctl");
  const options = ["--access-logfile", "-", "--access-logformat", "%(r)s", "--control-socket", control];
  const child = spawn(process.execPath, [COMMAND, ...args, ...options], {
    cwd: FIXTURES,
    stdio: ["ignore", output, output],
  });
  let exitCode: number | null | undefined;
  child.once("exit", (code) => {
    exitCode = code;
  });
  const workers: number[] = [];
  let text = "";
  cleanUp(context, () => {
    child.kill("SIGKILL");
    for (const pid of workers) if (isAlive(pid)) process.kill(pid, "SIGKILL");
    for (const socket of [output, reader]) socket.destroy();
    journal.close();
  });
  const target = { path: join(folder, "app.sock") };
  await until("it serves", async () => (await ask(target)).status === 200);
  workers.push(...childrenOf(child.pid as number));
  for (let count = 0; count < REQUESTS; count++) {
    assert.equal((await ask(target, `/${count}${"x".repeat(3500)}`)).status, 200);
  }
  // The arbiter logs a line for each.
  child.kill("SIGUSR1");
  await until("the arbiter responds", async () => (await ask({ path: control }, "/status")).status === 200);
  child.kill("SIGTERM");
  await until("it has stopped", () => exitCode !== undefined);
  assert.equal(exitCode, 0, "it stopped by itself");
  await until("its workers are gone", () => !workers.some(isAlive));
  reader.on("data", (bytes) => {
    text += bytes.toString("latin1");
  });
  reader.resume();
  await until("the written lines have arrived", () => text.includes("Listening at: "));
  assert.match(text, /^GET \/0x{3500} HTTP\/1\.1$/m);
});
