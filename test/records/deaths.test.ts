/**
 * Workers that die in every way, told apart and told right by `tsgun why`, on this Node and the newest at hand. No record
 * holds a header, content or a variable.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { requestControl } from "../../src/control/control-client.ts";
import type { HistoryReport } from "../../src/control/stats.ts";
import { temporaryFolder, until, watchBlocked } from "../support/command.ts";
import { otherNodes } from "../support/other-nodes.ts";
import { memoryGroup, RecordStage, SECRET, type Told, tell } from "../support/record-stage.ts";
import { checkStory, DEATHS, HEAP, terminate } from "./death-cases.ts";

/** A timeout that a busy machine can keep. */
const ARGS = ["records/deaths.mjs", "-w", "1", "-t", "3"];
/** V8 collects garbage for seconds before it gives up: no timeout comes first. The heap is filled at once. */
const HEAP_ARGS = ["records/deaths.mjs", "-w", "1", "-t", "120", "--max-old-space", "64m"];

for (const node of [undefined, ...otherNodes.slice(-1)]) {
  describe(node === undefined ? "on this Node" : `on ${node}`, () => {
    test("each death is told apart", async (context) => {
      const options = node === undefined ? {} : { node };
      const stage = new RecordStage(context, ARGS, options);
      await stage.command.ready();
      for (const death of DEATHS) {
        await context.test(death.name, async () => {
          const pid = await stage.worker();
          if (death.target !== undefined) await stage.send(death.target);
          death.act?.(pid);
          checkStory(await stage.why(pid), death, pid);
          // Quick deaths in a row share a line.
          if (death.reason !== "stuck" && death.act !== terminate) return;
          const line = `Worker (?:exiting )?\\(pid: ${pid}\\)(?: was killed by SIGKILL)? \\(see tsgun why ${pid} .*\\)$`;
          await stage.command.line(new RegExp(line));
        });
      }
      assert.equal((await stage.command.end()).code, 0);
      assert.ok(!stage.everything().includes(SECRET), "a record holds what it must not");
    });

    test("an exhausted V8 heap", async (context) => {
      const stage = new RecordStage(context, HEAP_ARGS, node === undefined ? {} : { node });
      await stage.command.ready();
      const pid = await stage.worker();
      await stage.send(HEAP.target as string);
      checkStory(await stage.why(pid), HEAP, pid);
      assert.equal((await stage.command.end()).code, 0);
      assert.ok(!stage.everything().includes(SECRET), "a record holds what it must not");
    });
  });
}

test("without a scoreboard the story is the same", async (context) => {
  const stage = new RecordStage(context, [...ARGS, "--no-metrics"]);
  await stage.command.ready();
  for (const death of DEATHS.filter(({ name }) => /^(throw|exit\(7\)|blocked in JavaScript)$/.test(name))) {
    const pid = await stage.worker();
    await stage.send(death.target as string);
    checkStory(await stage.why(pid), death, pid);
  }
});

test("without a scoreboard an exhausted heap is known all the same", async (context) => {
  const stage = new RecordStage(context, [...HEAP_ARGS, "--no-metrics"]);
  await stage.command.ready();
  const pid = await stage.worker();
  await stage.send("/heap");
  assert.equal((await stage.why(pid)).record.end.reason, "heap_oom");
});

async function lastOf(stage: RecordStage): Promise<Told> {
  await stage.command.ended();
  return await tell(stage.records, "last");
}

describe("a worker that does not become ready", () => {
  test("its app throws", async (context) => {
    const app = join(temporaryFolder(context), "broken.mjs");
    writeFileSync(app, 'throw new Error("no database");');
    const stage = new RecordStage(context, [app, "-w", "1"]);
    const { lines, record } = await lastOf(stage);
    assert.match(lines[0] ?? "", /failed to boot: it exited with code \d+\.$/);
    assert.match(lines[1] ?? "", /^Likely cause: .*no database/);
    assert.equal(record.end.reason, "boot_failed");
    assert.equal(record.worker.state, "booting");
  });

  test("it is not ready in time", async (context) => {
    const stage = new RecordStage(context, ["pool/hangs.mjs", "-w", "1", "--boot-timeout", "2"]);
    const { lines, record } = await lastOf(stage);
    assert.match(lines[0] ?? "", /was killed by tsgun: it was not ready in time \(--boot-timeout\)\.$/);
    assert.match(lines[1] ?? "", /^Likely cause: a worker was not ready within 2s: /);
    assert.equal(record.end.killedFor, "boot-timeout");
  });
});

test("a worker that does not stop in time", async (context) => {
  const folder = temporaryFolder(context);
  const app = join(folder, "app.mjs");
  writeFileSync(
    app,
    `export default {
       handle: (request, respond) => respond(200, {}, String(process.pid)),
       shutdown: () => new Promise(() => setInterval(() => {}, 1000)),
     };`,
  );
  const stage = new RecordStage(context, [app, "-w", "1", "--graceful-timeout", "1", "--linger", "0"]);
  await stage.command.ready();
  const pid = await stage.worker();
  stage.command.kill("SIGHUP");
  const { lines, record } = await stage.why(pid);
  assert.match(
    lines[0] ?? "",
    /was killed by tsgun: told to stop for a reload, and it did not stop in time\.$/,
  );
  assert.deepEqual([record.end.reason, record.end.killedFor], ["reload", "stop-timeout"]);
});

test("a worker whose app closed its server", async (context) => {
  const app = join(temporaryFolder(context), "app.cjs");
  writeFileSync(
    app,
    `const server = require("node:http").createServer((request, response) => {
       if (request.url === "/close") server.close();
       response.end(String(process.pid));
     }).listen(3000);`,
  );
  const stage = new RecordStage(context, [app, "-w", "1"]);
  await stage.command.ready();
  const pid = await stage.worker();
  await stage.send("/close");
  const { lines } = await stage.why(pid);
  assert.match(lines[0] ?? "", /was replaced because of its app, which closed its server\.$/);
});

test("an app that listens for uncaught exceptions and exits: the error counts, not the call", async (context) => {
  const app = join(temporaryFolder(context), "app.mjs");
  writeFileSync(
    app,
    `process.on("uncaughtException", () => setTimeout(() => process.exit(9), 50));
     export const handler = (request, respond) => {
       if (request.path === "/lost") setImmediate(() => { throw new Error("lost the database"); });
       else respond(200, {}, String(process.pid));
     };`,
  );
  const stage = new RecordStage(context, [app, "-w", "1"]);
  await stage.command.ready();
  const pid = await stage.worker();
  await stage.send("/lost");
  const { lines, record } = await stage.why(pid);
  assert.match(lines[0] ?? "", /crashed on an uncaught exception: Error: lost the database\.$/);
  assert.equal(record.end.exitCode, 9);
});

test("during an upgrade the old server's workers end for it, and both keep records in one folder", async (context) => {
  const stage = new RecordStage(context, ["records/deaths.mjs", "-w", "1"]);
  await stage.command.ready();
  const before = await stage.worker();
  stage.command.kill("SIGUSR2");
  const { lines, record } = await stage.why(before);
  assert.match(lines[0] ?? "", /ended as it was told to, for an upgrade of the server\.$/);
  assert.equal(record.end.reason, "upgrade");
  const pid = await until("the new server answers", async () => {
    const next = await stage.worker();
    return next !== before && next;
  });
  await stage.send("/exit7");
  const told = await stage.why(pid);
  assert.equal(told.record.end.exitCode, 7);
  assert.notEqual(told.record.server.arbiter, record.server.arbiter);
});

test("ordered ends say for what", async (context) => {
  const stage = new RecordStage(context, ["records/deaths.mjs", "-w", "1", "--max-memory", "1m"]);
  await stage.command.ready();
  const pid = await stage.worker();
  const { lines, record } = await stage.why(pid);
  assert.match(lines[0] ?? "", /ended as it was told to, for [\d.]+MB of memory, more than 1\.0MB\.$/);
  assert.deepEqual([record.end.reason, record.end.isProblem], ["max_memory", false]);
});

test("a worker that the kernel kills for lack of memory", async (context) => {
  const group = memoryGroup(context, 256 * 1024 ** 2);
  if (group === undefined)
    return context.skip("no control group can be made here: run the tests as root on Linux");
  const stage = new RecordStage(context, ["records/deaths.mjs", "-w", "1"], { prefix: group });
  await stage.command.ready();
  const pid = await stage.worker();
  await stage.send("/eat");
  const { lines, record } = await stage.why(pid);
  assert.match(lines[0] ?? "", /was killed by the kernel \(SIGKILL\): out of memory\.$/);
  assert.match(
    lines[1] ?? "",
    /rose from 0 to 1 in its control group, whose limit is 256 MB, in the request POST \/eat\.$/,
  );
  assert.equal(record.end.reason, "killed");
});

test("a full disk costs one warning, and the next record", async (context) => {
  const folder = join(temporaryFolder(context), "full");
  mkdirSync(folder, { mode: 0o700 });
  const fill = join(folder, "fill");
  const script = `mount -t tmpfs -o size=64k,mode=700 tmpfs "$0" && head -c 200k /dev/zero > "$0/fill"; exec "$@"`;
  const prefix = ["unshare", "--mount", "sh", "-c", script, folder];
  if (spawnSync("unshare", ["--mount", "true"]).status !== 0)
    return context.skip("needs root and new namespaces: run the tests as root on Linux");
  const stage = new RecordStage(context, ["records/deaths.mjs", "-w", "1"], { prefix }, folder);
  await stage.command.ready();
  for (const _ of [1, 2]) {
    const pid = await stage.worker();
    await stage.send("/exit7");
    await stage.command.line(new RegExp(`pid: ${pid}\\) exited with code 7`));
  }
  await stage.worker();
  const warnings = stage.command.lines(/No record of a worker's end could be written to .*\/full, .*ENOSPC/);
  assert.equal(warnings.length, 1, "said once");
  // Its mount namespace is the server's own.
  const inside = join("/proc", String(stage.command.pid), "root");
  rmSync(join(inside, fill));
  const pid = await stage.worker();
  await stage.send("/exit7");
  const files = (): string[] => readdirSync(join(inside, folder));
  await until("it is recorded once there is room", () => files().some((name) => name.includes(`-${pid}-`)));
  assert.ok(!files().some((name) => name.startsWith(".draft")), "nothing half written is left");
  assert.equal((await stage.command.end()).code, 0);
});

test("what a worker's JavaScript wrote to standard error, and its last minute, are in the record", async (context) => {
  const stage = new RecordStage(context, ["records/deaths.mjs", "-w", "1"]);
  await stage.command.ready();
  const pid = await stage.worker();
  await stage.send("/complain");
  await stage.command.line(/the cache is cold/);
  await until("the server has looked at its workers twice", async () => {
    const { body } = await requestControl(stage.controlSocket, "GET", "/history");
    return (body as HistoryReport).time.length >= 2;
  });
  const isBlocked = watchBlocked(pid);
  await stage.send("/spin");
  await until("it is blocked", isBlocked);
  process.kill(pid, "SIGKILL");
  const { lines, record } = await stage.why(pid);
  assert.ok(record.stderr.includes("the cache is cold"), record.stderr.join("\n"));
  assert.ok(lines.includes("last lines of standard error"));
  assert.ok(record.samples.length > 0, "it has samples");
  assert.ok((record.samples.at(-1)?.rss ?? 0) > 1e6);
  assert.ok(!stage.everything().includes(SECRET));
});
