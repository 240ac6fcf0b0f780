/** The first process of a container: it reaps orphans that it has inherited, and not its own children. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Reaper } from "../../src/system/reaper.ts";
import { ask } from "../support/ask.ts";
import { childrenOf, startCommand, temporaryFolder, until } from "../support/command.ts";

const NEW_CONTAINER = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];

function noContainer(): string | false {
  const { status } = spawnSync(NEW_CONTAINER[0] as string, [...NEW_CONTAINER.slice(1), "true"]);
  return status === 0 ? false : "needs root and new namespaces: run the tests as root on Linux";
}

/** `/orphan` leaves a process behind whose parent is gone; `/PID` says how a process is. */
const APP = `
  import { spawnSync } from "node:child_process";
  import { readFileSync } from "node:fs";
  function state(pid) {
    try {
      return readFileSync("/proc/" + pid + "/stat", "utf8").split(") ")[1].split(" ").slice(0, 2).join(" ");
    } catch {
      return "gone";
    }
  }
  export const handler = (request, respond) => {
    const path = request.path.slice(1);
    const orphan = () => spawnSync("sh", ["-c", "sleep 0.5 >&2 & echo $!"], { encoding: "utf8" }).stdout.trim();
    respond(200, {}, path === "orphan" ? orphan() : path === "" ? process.pid + " " + process.ppid : state(path));
  };
`;

test("process 1 reaps an orphan, still notices the exit of a worker, and obeys TERM", {
  skip: noContainer(),
}, async (context) => {
  const folder = temporaryFolder(context);
  writeFileSync(join(folder, "app.mjs"), APP);
  const path = join(folder, "app.sock");
  const command = startCommand(context, ["app.mjs", "-b", "unix:app.sock"], {
    cwd: folder,
    prefix: NEW_CONTAINER,
  });
  await command.ready();
  const text = async (what: string): Promise<string> => (await ask({ path }, `/${what}`)).text;
  const [worker = "", arbiter] = (await text("")).split(" ");
  assert.equal(arbiter, "1");
  const orphan = await text("orphan");
  await until("it is process 1's", async () => /^[SZ] 1$/.test(await text(orphan)));
  await until("it is reaped", async () => (await text(orphan)) === "gone");
  const [outside = 0] = childrenOf(command.pid);
  process.kill(childrenOf(outside)[0] ?? 0, "SIGKILL");
  await command.line(/was killed by SIGKILL/);
  await until("another worker answers", async () => !(await text("")).startsWith(`${worker} `));
  process.kill(outside, "SIGUSR2");
  await command.line(/Upgrade refused: this is process 1, and its container ends with it/);
  process.kill(outside, "SIGTERM");
  assert.deepEqual(await command.ended(), { code: 0, signal: null });
  assert.deepEqual(command.lines(/nothing reaps it/), []);
});

test("only children that had exited by the previous check are reaped", async () => {
  const reaped: number[] = [];
  let ended: number[] = [];
  const reaper = new Reaper({
    zombies: () => ended,
    connect: async () => (pid) => void reaped.push(pid),
    onFailure: assert.fail,
  });
  for (const [now, expected] of [
    [[], []],
    [[7], []],
    [[8], []],
    [[8, 9], [8]],
    [[9], [8, 9]],
  ] as const) {
    ended = [...now];
    await reaper.check();
    assert.deepEqual(reaped, expected);
  }
});

test("without a way to reap, advice is logged once", async () => {
  const said: string[] = [];
  const reaper = new Reaper({
    zombies: () => [7],
    connect: () => Promise.reject(new Error("not installed")),
    onFailure: (message) => said.push(message),
  });
  for (let checks = 0; checks < 4; checks++) await reaper.check();
  assert.deepEqual(said, [
    "process 7 has exited and nothing reaps it: install the package koffi, or give the container an init (docker run --init)",
  ]);
});
