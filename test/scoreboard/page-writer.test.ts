/** Another process reads a page as the worker has written it, mapped or not. */
import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { mapShared } from "../../src/native/shared-memory.ts";
import {
  LAYOUT_VERSION,
  MAGIC,
  MAX_KEY_BYTES,
  MAX_REQUESTS,
  MAX_SERIES,
  MAX_TARGET_BYTES,
  NOTE_BYTES,
  STDERR_BYTES,
  VITALS,
} from "../../src/scoreboard/layout.ts";
import { NO_SERIES, PageWriter, UNLISTED } from "../../src/scoreboard/page-writer.ts";
import { BoardPage } from "../support/board-page.ts";

/** The two ways in which a page gets into its file. */
const TRANSPORTS = {
  written: () => {},
  mapped: (page: PageWriter) => page.map(mapShared),
} as const;

for (const [transport, prepare] of Object.entries(TRANSPORTS)) {
  const open = (context: TestContext): { board: BoardPage; page: PageWriter } => {
    const board = new BoardPage(context);
    const page = board.writer();
    prepare(page);
    return { board, page };
  };

  test(`${transport}: the header says whose page it is`, (context) => {
    const { board } = open(context);
    const names = ["magic", "version", "inUse", "pid", "slot", "generation", "seriesCount"] as const;
    const header = names.map((name) => board.header(name));
    assert.deepEqual(header, [MAGIC, LAYOUT_VERSION, 1, 7, 2, 3, 0]);
    assert.equal(board.read().readDoubleLE(32), 1000);
    assert.equal(board.vital("isMapped"), transport === "mapped" ? 1 : 0);
  });

  test(`${transport}: a request is seen before anything else happens, until it ends`, async (context) => {
    const { board, page } = open(context);
    const long = `/${"é".repeat(300)}`;
    const entries = [
      page.beginRequest("GET", "/first?a=1", 12.5),
      page.beginRequest("PURGE", "", 13),
      page.beginRequest("PATCH", long, 14),
    ];
    assert.deepEqual(board.requests(), [
      { method: "GET", target: "/first?a=1", startedAt: 12.5 },
      { method: "_OTHER", target: "", startedAt: 13 },
      { method: "PATCH", target: long.slice(0, MAX_TARGET_BYTES), startedAt: 14 },
    ]);
    page.endRequest(entries[1] as number);
    await turn();
    assert.deepEqual(
      board.requests().map(({ method }) => method),
      ["GET", "PATCH"],
    );
    assert.equal(page.requestsInFlight, 2);
    // A shorter target leaves nothing of the one that the entry had.
    page.endRequest(entries[2] as number);
    page.beginRequest("PUT", "/short", 15);
    assert.deepEqual(board.requests()[1], { method: "PUT", target: "/short", startedAt: 15 });
  });

  test(`${transport}: requests beyond the entries are counted as unlisted`, async (context) => {
    const { board, page } = open(context);
    const entries = Array.from({ length: MAX_REQUESTS + 2 }, (_, index) =>
      page.beginRequest("GET", `/${index}`, index),
    );
    assert.deepEqual(entries.slice(-2), [UNLISTED, UNLISTED]);
    assert.deepEqual([board.requests().length, board.header("unlistedRequests")], [MAX_REQUESTS, 2]);
    page.endRequest(UNLISTED);
    page.endRequest(entries[5] as number);
    await turn();
    assert.deepEqual([board.requests().length, board.header("unlistedRequests")], [MAX_REQUESTS - 1, 1]);
    assert.equal(page.beginRequest("GET", "/again", 1), entries[5]);
  });

  test(`${transport}: series keep their values, and their handles, through the mapping`, async (context) => {
    const board = new BoardPage(context);
    const page = board.writer();
    const counter = page.series("rej|limit");
    page.increment(counter);
    prepare(page);
    page.increment(counter);
    const histogram = page.series("req|GET|200|http|1.1||");
    page.observe(histogram, 0, 0.25);
    page.observe(histogram, 14, 20);
    await turn();
    assert.equal(page.series("rej|limit"), counter);
    const series = board.series();
    assert.deepEqual([...series.keys()], ["rej|limit", "req|GET|200|http|1.1||"]);
    assert.equal(series.get("rej|limit")?.counts[0], 2);
    const { counts, sum } = series.get("req|GET|200|http|1.1||") as { counts: number[]; sum: number };
    assert.deepEqual([counts[0], counts[14], sum], [1, 1, 20.25]);
  });

  test(`${transport}: what has no room is not counted, and breaks nothing`, async (context) => {
    const { board, page } = open(context);
    assert.equal(page.series("k".repeat(MAX_KEY_BYTES + 1)), NO_SERIES);
    for (let index = 0; index < MAX_SERIES; index += 1) page.increment(page.series(`key|${index}`));
    const none = page.series("one|more");
    assert.equal(none, NO_SERIES);
    page.increment(none);
    page.observe(none, 3, 1);
    await turn();
    assert.deepEqual([...new Set(Object.values(board.counts()))], [1]);
    assert.equal(board.series().size, MAX_SERIES);
  });

  test(`${transport}: the tail of standard error is a ring of its last bytes`, (context) => {
    const { board, page } = open(context);
    page.appendStderr("first\n");
    page.appendStderr(Buffer.from("sécond\n"));
    assert.equal(board.stderr(), "first\nsécond\n");
    const line = `${"x".repeat(99)}\n`;
    for (let index = 0; index < 100; index += 1) page.appendStderr(line);
    assert.equal(board.stderr(), `first\nsécond\n${line.repeat(100)}`.slice(-STDERR_BYTES));
    page.appendStderr(`${"y".repeat(3 * STDERR_BYTES)}end`);
    assert.equal(board.stderr(), `${"y".repeat(STDERR_BYTES - 3)}end`);
  });

  test(`${transport}: the first note stands, and is cut to what has room`, (context) => {
    const { board, page } = open(context);
    const [message, stack] = [`broken ${'"'.repeat(NOTE_BYTES)}`, `at app.js:1\n${"ü\n".repeat(NOTE_BYTES)}`];
    page.leaveNote({ kind: "exception", message, stack });
    page.leaveNote({ kind: "exit", message: "later", stack: null });
    const left = board.note();
    assert.equal(left?.kind, "exception");
    assert.match(left?.message ?? "", /^broken "+$/);
    assert.match(left?.stack ?? "", /^at app\.js:1\nü\n/);
  });

  test(`${transport}: vitals`, (context) => {
    const { board, page } = open(context);
    page.writeVitals(Float64Array.from(VITALS.slice(0, -1), (_, index) => index + 0.5));
    assert.deepEqual([board.vital("time"), board.vital("requestsWaiting")], [0.5, VITALS.length - 1.5]);
    assert.equal(board.vital("isMapped"), transport === "mapped" ? 1 : 0);
  });
}

test("a written page puts off all but the beginning of a request to the end of the turn", async (context) => {
  const board = new BoardPage(context);
  const page = board.writer();
  const series = page.series("rej|limit");
  const entry = page.beginRequest("GET", "/", 1);
  page.endRequest(entry);
  page.increment(series);
  assert.deepEqual([board.requests().length, board.counts()["rej|limit"]], [1, 0]);
  page.flush();
  assert.deepEqual([board.requests().length, board.counts()["rej|limit"]], [0, 1]);
});

test("a page that cannot be mapped is written as before", async (context) => {
  const board = new BoardPage(context);
  const page = board.writer();
  const other = new BoardPage(context);
  const fails = [
    () => {
      throw new Error("koffi is not installed");
    },
    // Memory that is not the file.
    (_: number, __: number, length: number) => new ArrayBuffer(length),
    () => mapShared(other.descriptor, other.offset, 3 * 65_536),
  ];
  for (const map of fails) assert.throws(() => page.map(map));
  assert.throws(() => mapShared(board.descriptor, board.offset + 1, 65_536), /mmap: errno 22/);
  page.increment(page.series("rej|limit"));
  page.beginRequest("GET", "/", 1);
  await turn();
  assert.deepEqual([page.isMapped, board.counts()["rej|limit"], board.vital("isMapped")], [false, 1, 0]);
  assert.equal(board.requests().length, 1);
});

test("a page without a file that takes it counts all the same", async () => {
  const descriptor = openSync("/dev/null", "r");
  const page = new PageWriter(descriptor, 0, { pid: 1, slot: 1, generation: 1, timeOrigin: 0 });
  const entry = page.beginRequest("GET", "/", 1);
  page.observe(page.series("req"), 0, 1);
  page.endRequest(entry);
  page.appendStderr("line\n");
  await turn();
  assert.throws(() => page.map(mapShared));
  closeSync(descriptor);
});
