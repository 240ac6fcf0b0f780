/** A worker counts on its page of the scoreboard, through the built command. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ask } from "../support/ask.ts";
import { hasMappedPage } from "../support/board-page.ts";
import { FIXTURES, type RunningCommand, startCommand, temporaryFolder, until } from "../support/command.ts";

const APP = join(FIXTURES, "faults", "poison.mjs");

async function serve(
  context: TestContext,
  ...args: string[]
): Promise<{ command: RunningCommand; target: { port: number }; metrics(): Promise<string> }> {
  const path = join(temporaryFolder(context), "c.ctl");
  const command = startCommand(context, [APP, "-b", "127.0.0.1:0", "--control-socket", path, ...args]);
  await command.ready();
  const metrics = async (): Promise<string> => (await ask({ path }, "/metrics")).text;
  return { command, target: { port: await command.port() }, metrics };
}

/** The number of requests with these labels. */
function count(text: string, labels: RegExp): number {
  const lines = text
    .split("\n")
    .filter((line) => line.startsWith("http_server_request_duration_seconds_count{") && labels.test(line));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

test("what a worker counted outlives SIGKILL, before and after its page is mapped", {
  skip: process.platform === "linux" ? false : "the mappings of a process are seen in /proc",
}, async (context) => {
  const { command, target, metrics } = await serve(context);
  let sent = 0;
  // The first worker is killed at once, the second one when it counts without system calls.
  for (const waits of [false, true]) {
    if (waits) await until("the page is mapped", () => command.workers().some(hasMappedPage));
    for (let request = 0; request < 5; request += 1) assert.equal((await ask(target)).status, 200);
    sent += 5;
    await assert.rejects(ask(target, "/poison?kill"));
    await command.line(/was killed by SIGKILL/, waits ? 2 : 1);
  }
  const text = await until("all is counted", async () => {
    const read = await metrics();
    return count(read, /worker_killed/) === 2 && read;
  });
  assert.equal(count(text, /status_code="200"/), sent);
});

test("--no-metrics counts nothing", async (context) => {
  const { command, target, metrics } = await serve(context, "--no-metrics");
  assert.equal((await ask(target)).status, 200);
  assert.equal(count(await metrics(), /./), 0);
  await assert.rejects(ask(target, "/poison?kill"));
  await command.line(/was killed by SIGKILL/);
  assert.doesNotMatch(command.stderr, /in flight/);
});
