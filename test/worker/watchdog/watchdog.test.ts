import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { type WatchedOptions, WatchedProcess } from "../../support/watched-process.ts";

const FIXTURE = join(import.meta.dirname, "..", "..", "fixtures", "watchdog", "blocked.ts");

/** `blocked.ts:LINE` of the line of the fixture that holds `text`. */
function lineOf(text: string): string {
  const lines = readFileSync(FIXTURE, "utf8").split("\n");
  return `blocked.ts:${lines.findIndex((line) => line.includes(text)) + 1}:`;
}

function start(t: TestContext, way: string, ms = 0, options: WatchedOptions = {}): WatchedProcess {
  const watched = new WatchedProcess(way, ms, options);
  t.after(() => watched[Symbol.asyncDispose]());
  return watched;
}

function stopFileOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "tsgun-watchdog-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, "stop");
}

describe("a blocked loop is reported while it is blocked", { concurrency: 2 }, () => {
  test("a loop: TypeScript file and line, the requests in flight", async (t) => {
    const watched = start(t, "spin", 3_600_000);
    const report = await watched.report("stuck");
    assert.equal(report.inNative, false);
    assert.match(report.stack[0] ?? "", /^at spin \(/);
    assert.ok(report.stack[0]?.includes(lineOf("!existsSync(stopFile)")), report.stack[0]);
    assert.ok(report.stack[1]?.includes(lineOf('if (way === "spin")')), report.stack[1]);
    assert.deepEqual(report.inFlight, [{ method: "GET", target: "/slow?x=1", id: "r-1", age: 42 }]);
    assert.ok(report.blockedForMs >= 200);
    assert.equal(report.pid, watched.process.pid);
  });

  test("a regular expression", async (t) => {
    const report = await start(t, "regex").report("stuck");
    assert.ok(report.stack[0]?.includes(lineOf('if (way === "regex")')), report.stack[0]);
  });

  test("promises that never let the loop turn", async (t) => {
    const report = await start(t, "microtasks", 3_600_000).report("stuck");
    assert.ok(report.stack[0]?.includes(lineOf('if (way === "microtasks")')), report.stack[0]);
  });

  test("a native call: reported with its child process; its stack when it returns, then the recovery", async (t) => {
    const stopFile = stopFileOf(t);
    // On a busy machine the start of the child, which is on the CPU, takes its time.
    const watched = start(t, "native", 0, { stopFile, watchdog: { nativeAfterMs: 1000 } });
    const stuck = await watched.report("stuck");
    assert.equal(stuck.inNative, true);
    assert.deepEqual(stuck.stack, []);
    assert.equal(stuck.inFlight, undefined);
    if (process.platform === "linux") {
      assert.equal(stuck.mainThread, "waiting");
      assert.ok(
        stuck.children.some((child) => child.command.includes(stopFile)),
        JSON.stringify(stuck.children),
      );
    }
    writeFileSync(stopFile, "");
    const returned = await watched.report("returned");
    assert.ok(
      returned.stack.some((frame) => frame.includes(lineOf('if (way === "native")'))),
      String(returned.stack),
    );
    assert.equal(returned.inFlight?.[0]?.target, "/slow?x=1");
    await watched.report("recovered");
    await watched.end();
  });

  test("once per stall, and the main thread continues afterwards", async (t) => {
    const stopFile = stopFileOf(t);
    const watched = start(t, "spin", 3_600_000, { stopFile });
    const stuck = await watched.report("stuck");
    writeFileSync(stopFile, "");
    await watched.done();
    const { blockedForMs } = await watched.report("recovered");
    assert.ok(blockedForMs > stuck.blockedForMs);
    await watched.end();
    assert.deepEqual(
      watched.reports.map(({ kind }) => kind),
      ["stuck", "recovered"],
    );
  });

  test("as text, to the redirected sink", async (t) => {
    const stopFile = stopFileOf(t);
    const watched = start(t, "redirect", 3_600_000, { stopFile });
    await watched.until("the text report", () =>
      watched.stderr.includes("in flight: GET /slow?x=1 (id r-1, 42 ms)"),
    );
    assert.match(
      watched.stderr,
      /^\[[-\d]+ [:\d]+ \+0000\] \[\d+\] \[ERROR\] worker \d+: the event loop has been blocked for/m,
    );
    assert.match(watched.stderr, /^ {4}at spin \(.*blocked\.ts:\d+:\d+\)$/m);
    writeFileSync(stopFile, "");
    await watched.done();
    await watched.end();
    assert.equal(watched.stdout, "");
  });
});

describe("other states are not reported", { concurrency: 2 }, () => {
  for (const [name, way, options] of [
    ["a `debugger` statement neither holds the app up nor is a stall", "statement", {}],
    ["a closed watchdog", "closed", {}],
    ["a debugger is open: a breakpoint is no stall", "spin", { execArgv: ["--inspect=127.0.0.1:0"] }],
    ["the check is off", "spin", { watchdog: { stuckAfterMs: 0 } }],
  ] as [string, string, WatchedOptions][]) {
    test(name, async (t) => {
      const watched = start(t, way, 700, options);
      await watched.done();
      await watched.end();
      assert.equal(watched.stdout, "");
      assert.equal(watched.process.exitCode, 0, watched.stderr);
    });
  }
});

for (const way of ["exit", "throw"]) {
  test(`a process that exits by ${way} prints nothing about the inspector`, async (t) => {
    const watched = start(t, way);
    await watched.until("the process to be gone", () => watched.closed);
    assert.match(watched.stderr, /ready true\ndone\n/);
    assert.doesNotMatch(watched.stderr, /debugger/);
  });
}

describe("an orphan exits", { concurrency: 2 }, () => {
  for (const [name, way] of [
    ["while its loop is blocked", "spin"],
    ["while it waits in a native call, and the child it waits for ends too", "native"],
    ["while it is idle", "forever"],
  ] as const) {
    test(name, async (t) => {
      const watched = start(t, way, 3_600_000, { underParent: true, watchdog: { nativeAfterMs: 200 } });
      await watched.ready();
      if (way !== "forever") await watched.report("stuck");
      watched.process.kill("SIGKILL");
      await watched.report("orphaned");
      await watched.until("every process to be gone", () => watched.closed);
    });
  }

  test("by itself, while its loop runs", async (t) => {
    // Its standard input ends with the parent: that is how this one learns of it.
    const watched = start(t, "idle", 0, { underParent: true });
    await watched.done();
    watched.process.kill("SIGKILL");
    await watched.until("every process to be gone", () => watched.closed);
    assert.equal(watched.stdout, "");
  });

  test("by itself, though the beats of its loop are rare", async (t) => {
    const rare = { stuckAfterMs: 3_600_000, parentPid: 2 ** 22 + 1, orphanGraceMs: 60_000 };
    const watched = start(t, "finish", 1500, { watchdog: rare });
    await watched.until("the process to be gone", () => watched.closed);
    assert.deepEqual([watched.process.exitCode, watched.stdout], [0, ""]);
  });

  test("also if the given parent was gone before", async (t) => {
    const watched = start(t, "idle", 0, { watchdog: { parentPid: 2 ** 22 + 1 } });
    await watched.until("the process to be gone", () => watched.closed);
    assert.equal(watched.process.signalCode, "SIGKILL");
  });

  test("not if the check is off", async (t) => {
    const watched = start(t, "idle", 0, { watchdog: { parentPid: 2 ** 22 + 1, orphanPollMs: 0 } });
    await watched.done();
    await watched.end();
    assert.equal(watched.process.exitCode, 0);
  });
});
