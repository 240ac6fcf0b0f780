import assert from "node:assert/strict";
import { test } from "node:test";
import { LogLines, MAX_LINES } from "../../../src/arbiter/logs/log-lines.ts";
import { HEADER, PAGE_BYTES, STDERR_BYTES, STDERR_OFFSET } from "../../../src/scoreboard/layout.ts";
import { readStderrSince } from "../../../src/scoreboard/page-reader.ts";

/** A worker's page, as the worker writes to it. */
class Page {
  readonly bytes = Buffer.alloc(PAGE_BYTES);

  constructor(written = 0) {
    this.bytes.writeUInt32LE(written, HEADER.stderrWritten);
  }

  write(text: string): void {
    let written = this.bytes.readUInt32LE(HEADER.stderrWritten);
    for (const byte of Buffer.from(text)) {
      this.bytes[STDERR_OFFSET + (written % STDERR_BYTES)] = byte;
      written = (written + 1) % 2 ** 32;
    }
    this.bytes.writeUInt32LE(written, HEADER.stderrWritten);
  }
}

const worker = { id: 1, pid: 12, slot: 3 };

function linesOf(page: Page): LogLines {
  return new LogLines({
    workers: () => [worker],
    stderrSince: (_id, since) => readStderrSince(page.bytes, since),
  });
}

function texts(lines: LogLines, after?: number): string[] {
  return lines.since(after).map(({ line }) => line);
}

test("lines of the arbiter and of workers come in the order of their arrival", () => {
  const page = new Page();
  const lines = linesOf(page);
  lines.logged("info", "one");
  page.write("two\nunfini");
  assert.deepEqual(texts(lines), ["one", "two"]);
  lines.logged("error", "three", "at a\nat b");
  page.write("shed\n");
  assert.deepEqual(texts(lines), ["one", "two", "three", "at a", "at b", "unfinished"]);
  const [first, second] = lines.since();
  assert.deepEqual(
    [first?.source, first?.pid, first?.slot, first?.level],
    ["arbiter", process.pid, null, "info"],
  );
  assert.deepEqual([second?.source, second?.pid, second?.slot, second?.level], ["worker", 12, 3, null]);
  assert.deepEqual(texts(lines, 5), ["unfinished"]);
});

test("a worker's last words are kept with its end, also without a line feed", () => {
  const page = new Page();
  const lines = linesOf(page);
  page.write("half a line");
  assert.deepEqual(texts(lines), []);
  page.write(", and its end");
  lines.ended(worker);
  assert.deepEqual(texts(lines), ["half a line, and its end"]);
});

test("what is overwritten before it is read is lost, and nothing else", () => {
  const page = new Page(2 ** 32 - 10);
  const lines = new LogLines({
    workers: () => [worker],
    stderrSince: (_id, since) => readStderrSince(page.bytes, since === 0 ? 2 ** 32 - 10 : since),
  });
  page.write("before the count wraps\n");
  assert.deepEqual(texts(lines), ["before the count wraps"]);
  for (let count = 0; count < 2000; count++) page.write(`line ${count} of many\n`);
  const [, ...rest] = texts(lines);
  assert.match(rest[0] ?? "", /^line \d+ of many$/);
  assert.equal(rest.at(-1), "line 1999 of many");
  assert.ok(rest.length > 300 && rest.length < MAX_LINES);
});

test("lines are bounded and move no cursor", () => {
  const page = new Page();
  const lines = linesOf(page);
  page.write(`\x1b[31mred\x1b[0m\x07 ${"x".repeat(5000)}\n`);
  const [line = ""] = texts(lines);
  assert.match(line, /^red x+$/);
  assert.equal(line.length, 2000);
  for (let count = 0; count < MAX_LINES + 10; count++) lines.logged("info", String(count));
  assert.equal(lines.since().length, MAX_LINES);
});

test("pages are looked at by themselves only while somebody follows", (context) => {
  context.mock.timers.enable({ apis: ["setInterval"] });
  const page = new Page();
  let looks = 0;
  const lines = new LogLines({
    workers: () => {
      looks += 1;
      return [worker];
    },
    stderrSince: (_id, since) => readStderrSince(page.bytes, since),
  });
  const seen: string[] = [];
  const stop = lines.follow(({ line }) => seen.push(line));
  page.write("now\n");
  context.mock.timers.tick(250);
  assert.deepEqual(seen, ["now"]);
  stop();
  const before = looks;
  context.mock.timers.tick(5000);
  assert.equal(looks, before);
});
