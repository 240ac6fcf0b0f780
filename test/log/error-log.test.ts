import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ErrorLog, type LogLevel } from "../../src/log/error-log.ts";
import { formatEntry, formatTime } from "../../src/log/text-format.ts";

/** What is written by `act`, on a log that writes to a file. */
function written(context: TestContext, level: LogLevel, act: (log: ErrorLog) => void): string {
  const folder = mkdtempSync(join(tmpdir(), "tsgun-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "log");
  const fd = openSync(file, "w");
  act(new ErrorLog({ level, fd }));
  closeSync(fd);
  return readFileSync(file, "utf8");
}

test("a line has time, process, level and message", (context) => {
  const text = written(context, "info", (log) => log.info("Starting tsgun"));
  assert.match(
    text,
    new RegExp(
      `^\\[\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d [+-]\\d{4}\\] \\[${process.pid}\\] \\[INFO\\] Starting tsgun\n$`,
    ),
  );
});

test("what is written depends on the level, which can change", (context) => {
  const levels: LogLevel[] = ["debug", "info", "warning", "error", "critical"];
  for (const [index, level] of levels.entries()) {
    const text = written(context, level, (log) => {
      for (const each of levels) log[each](each);
    });
    const words = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"].slice(index);
    assert.deepEqual(text.match(/(?<=\[)[A-Z]+(?=\])/g), words);
  }
  const text = written(context, "error", (log) => {
    log.info("before");
    log.level = "info";
    log.info("after");
  });
  assert.match(text, /after/);
  assert.doesNotMatch(text, /before/);
});

test("an error's stack and its causes follow the line", (context) => {
  const error = new Error("broken", { cause: new Error("the reason") });
  const text = written(context, "info", (log) => log.error("It failed", error));
  assert.match(text, /\[ERROR\] It failed\nError: broken\n {4}at .*\[cause\]: Error: the reason/s);
});

test("no message makes a second line", (context) => {
  const text = written(context, "info", (log) =>
    log.info("GET /\r\n[2026-01-01] [1] [INFO] forged \x1b[31m"),
  );
  assert.equal(text.split("\n").length, 2);
  assert.match(text, /GET \/\\r\\n\[2026-01-01\] \[1\] \[INFO\] forged \\x1b\[31m\n$/);
});

test("nothing in a message is taken for a format", (context) => {
  assert.match(
    written(context, "info", (log) => log.info("100%s %d %j")),
    /100%s %d %j\n$/,
  );
});

test("the time is local, with its distance from UTC", () => {
  const time = new Date(2026, 10, 2, 3, 4, 5);
  assert.match(formatTime(time), /^2026-11-02 03:04:05 [+-]\d{4}$/);
  const east = inZone(-330);
  assert.equal(formatTime(east), "2026-11-02 03:04:05 +0530");
  const west = inZone(210);
  assert.equal(formatTime(west), "2026-11-02 03:04:05 -0330");
});

/** A time in a zone so many minutes west of UTC. */
function inZone(west: number): Date {
  const time = new Date(2026, 10, 2, 3, 4, 5);
  time.getTimezoneOffset = () => west;
  return time;
}

test("what was thrown need not be an error", () => {
  const entry = { lastLevel: 50, lastMsg: "It failed", lastObj: { err: "a text" } };
  assert.match(formatEntry(entry, new Date(), 1), /\[1\] \[ERROR\] It failed\na text\n$/);
});
