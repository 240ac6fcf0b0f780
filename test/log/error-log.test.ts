import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { inspect } from "node:util";
import { ErrorLog, type ErrorLogOptions, type LogLevel } from "../../src/log/error-log.ts";
import { formatEntry, formatTime, wantsColour } from "../../src/log/text-format.ts";

function temporaryFile(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "tsgun-"));
  context.after(() => rmSync(folder, { recursive: true }));
  return join(folder, "log");
}

/** Returns the text that `act` writes to a log with a file. */
function written(
  context: TestContext,
  options: LogLevel | ErrorLogOptions,
  act: (log: ErrorLog) => void,
): string {
  const target = temporaryFile(context);
  act(new ErrorLog({ ...(typeof options === "string" ? { level: options } : options), target }));
  return readFileSync(target, "utf8");
}

/** The entries that `act` writes as JSON. */
function entries(context: TestContext, options: ErrorLogOptions, act: (log: ErrorLog) => void): Json[] {
  const text = written(context, { ...options, format: "json" }, act);
  assert.ok(text === "" || text.endsWith("\n"));
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Json);
}

type Json = { readonly [name: string]: unknown };

test("a line has time, process, level and message", (context) => {
  const text = written(context, "info", (log) => log.info("Starting tsgun"));
  assert.match(
    text,
    new RegExp(
      `^\\[\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d [+-]\\d{4}\\] \\[${process.pid}\\] \\[INFO\\] Starting tsgun\n$`,
    ),
  );
});

test("the level decides what is written, and can change", (context) => {
  const levels: LogLevel[] = ["debug", "info", "warning", "error", "critical"];
  for (const [index, level] of levels.entries()) {
    const text = written(context, level, (log) => {
      for (const each of levels) log[each](each);
    });
    const words = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"].slice(index);
    assert.deepEqual(text.match(/(?<=\[)[A-Z]+(?=\])/g), words);
  }
  const target = temporaryFile(context);
  const log = new ErrorLog({ level: "error", target });
  log.info("before");
  log.configure({ level: "info", target });
  log.info("after");
  const text = readFileSync(target, "utf8");
  assert.match(text, /after/);
  assert.doesNotMatch(text, /before/);
});

for (const format of ["text", "json"] as const) {
  test(`entries that are written are counted by level, the app's own lines are not: ${format}`, (context) => {
    const counted: LogLevel[] = [];
    written(context, { level: "warning", format }, (log) => {
      log.error("before");
      log.whenWritten((level) => counted.push(level));
      log.info("below the level");
      log.warning("one");
      log.error("two", new Error("with a stack"));
      log.critical("three");
      log.captured("the app's", "stderr");
    });
    assert.deepEqual(counted, ["warning", "error", "critical"]);
  });
}

test("an error's stack and its causes follow the line", (context) => {
  const error = new Error("broken", { cause: new Error("the reason") });
  const text = written(context, "info", (log) => log.error("It failed", error));
  assert.match(text, /\[ERROR\] It failed\nError: broken\n {4}at .*\[cause\]: Error: the reason/s);
});

test("a message never makes a second line", (context) => {
  const text = written(context, "info", (log) =>
    log.info("GET /\r\n[2026-01-01] [1] [INFO] forged \x1b[31m"),
  );
  assert.equal(text.split("\n").length, 2);
  assert.match(text, /GET \/\\r\\n\[2026-01-01\] \[1\] \[INFO\] forged \\x1b\[31m\n$/);
});

test("a message is never interpreted as a format", (context) => {
  assert.match(
    written(context, "info", (log) => log.info("100%s %d %j")),
    /100%s %d %j\n$/,
  );
});

test("the time is local, with its offset from UTC", () => {
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

test("any thrown value is logged, even one that cannot be converted to text", (context) => {
  const entry = { level: "error", message: "It failed", error: "a text" } as const;
  assert.match(formatEntry(entry, new Date(), 1), /\[1\] \[ERROR\] It failed\na text\n$/);
  const hostile = {
    [inspect.custom]() {
      throw new Error("not this one");
    },
  };
  const broken = Object.defineProperty(new Error("broken"), "detail", {
    enumerable: true,
    get() {
      throw new Error("not this one");
    },
  });
  for (const format of ["text", "json"] as const) {
    const text = written(context, { format }, (log) => {
      log.error("It failed", hostile);
      log.error("It failed again", broken);
    });
    for (const part of [/It failed\W/, /cannot be converted to text/, /It failed again\W/, /Error: broken/]) {
      assert.match(text, part);
    }
  }
});

test("a line of an error cannot look like an entry or control the terminal", (context) => {
  const error = new Error(
    "no \x1b[2J\n[2026-01-01 00:00:00 +0000] [1] [INFO] forged\r\n[2026-01-01] forged, too",
  );
  const text = written(context, "info", (log) => log.error("It failed", error));
  const heads = text.split("\n").filter((line) => line.startsWith("["));
  assert.equal(heads.length, 1);
  assert.ok(!/[\x1b\r]/.test(text));
});

test("JSON: level, time, pid, the fields of process and entry, and the parts of the error", (context) => {
  const fields = { slot: 2, generation: 7 };
  const error = Object.assign(new TypeError("broken"), { code: "E_BROKEN" });
  const [plain, failed] = entries(context, { fields }, (log) => {
    log.info("Starting – grün");
    log.error("It failed", error, { id: "abc" });
  });
  const { time, ...rest } = plain as Json;
  assert.deepEqual(rest, { level: "info", pid: process.pid, ...fields, msg: "Starting – grün" });
  assert.equal(new Date(time as string).toISOString(), time);
  const { err, id, level, slot } = failed as Json;
  assert.deepEqual({ id, level, slot }, { id: "abc", level: "error", slot: 2 });
  const { type, message, stack, code } = err as Json;
  assert.deepEqual({ type, message, code }, { type: "TypeError", message: "broken", code: "E_BROKEN" });
  assert.match(stack as string, /^TypeError: broken\n {4}at /);
});

test("JSON: gunicorn's levels by name", (context) => {
  const levels: LogLevel[] = ["debug", "info", "warning", "error", "critical"];
  const written = entries(context, { level: "debug" }, (log) => {
    for (const level of levels) log[level]("a message");
  });
  assert.deepEqual(
    written.map(({ level }) => level),
    levels,
  );
});

test("JSON: an entry is one line, whatever a message, an id or an error contains", (context) => {
  const hostile = 'a"\n{"level":"info"}\r\n\0\u2028\x1b[31m';
  const written = entries(context, {}, (log) => {
    log.error(hostile, new Error(hostile), { id: hostile });
    log.error("text", hostile);
    log.captured(hostile, "stdout");
  });
  assert.equal(written.length, 3);
  assert.deepEqual([written[0]?.msg, written[0]?.id], [hostile, hostile]);
  const { err } = written[1] as Json;
  assert.equal((err as Json).stack, hostile);
});

test("the app's output is logged at every level: as it is, or as an entry", (context) => {
  const act = (log: ErrorLog): void => {
    log.captured("a line", "stdout");
    log.captured("another", "stderr");
  };
  assert.equal(written(context, "critical", act), "a line\nanother\n");
  const found = entries(context, { level: "critical" }, act).map(({ level, stream, msg }) => [
    level,
    stream,
    msg,
  ]);
  assert.deepEqual(found, [
    ["info", "stdout", "a line"],
    ["error", "stderr", "another"],
  ]);
});

test("a reconfigured log writes to its new file only", (context) => {
  const [before, after] = [temporaryFile(context), temporaryFile(context)];
  const log = new ErrorLog({ target: before });
  log.info("one");
  log.configure({ target: after, format: "json" });
  log.info("two");
  assert.match(readFileSync(before, "utf8"), /one\n$/);
  assert.equal((JSON.parse(readFileSync(after, "utf8")) as Json).msg, "two");
});

test("if the file cannot be opened, the log goes to standard error", async (context) => {
  const folder = dirname(temporaryFile(context));
  const script = `
    import { ErrorLog } from ${JSON.stringify(join(import.meta.dirname, "../../src/log/error-log.ts"))};
    new ErrorLog({ target: ${JSON.stringify(join(folder, "missing", "log"))} }).info("all the same");
  `;
  const args = ["--import", "@oxc-node/core/register", "--input-type=module", "--eval", script];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  assert.equal(status, 0);
  assert.match(stderr, /\[INFO\] all the same\n.*\[ERROR\] The error log cannot be opened: ENOENT.*\n$/);
});

test("the level is coloured, on terminals only", (context) => {
  const entry = { level: "warning", message: "Mind", error: "Error: it\n    at app.ts:1:1" } as const;
  const text = formatEntry(entry, new Date(), 1, true);
  assert.match(
    text,
    /\[1\] \[\x1b\[33mWARNING\x1b\[0m\] Mind\nError: it\n\x1b\[2m {4}at app\.ts:1:1\x1b\[0m\n$/,
  );
  assert.doesNotMatch(
    written(context, "info", (log) => log.info("to a file")),
    /\x1b/,
  );
});

test("environment variables control colour", () => {
  const file = openSync("/dev/null", "w");
  const wanted = (env: NodeJS.ProcessEnv): boolean => wantsColour(file, env);
  assert.equal(wanted({}), false);
  assert.equal(wanted({ FORCE_COLOR: "" }), true);
  assert.equal(wanted({ FORCE_COLOR: "1", NO_COLOR: "1" }), true);
  assert.equal(wanted({ FORCE_COLOR: "0", CLICOLOR_FORCE: "1" }), false);
  assert.equal(wanted({ CLICOLOR_FORCE: "1" }), true);
  assert.equal(wanted({ CLICOLOR_FORCE: "1", NO_COLOR: "1" }), false);
  assert.equal(wanted({ CLICOLOR_FORCE: "0" }), false);
  closeSync(file);
});
