/** The scoreboard of an arbiter: pages are added up when workers end, and the two arbiters of an upgrade report the same. */
import assert from "node:assert/strict";
import { writeSync } from "node:fs";
import { describe, test } from "node:test";
import { Scoreboard } from "../../../src/arbiter/stats/scoreboard.ts";
import type { ScoreboardPage } from "../../../src/ipc/messages.ts";
import { ARBITER_METRICS } from "../../../src/scoreboard/arbiter-metrics.ts";
import { BoardFile } from "../../../src/scoreboard/board-file.ts";
import { HEADER, PAGE_BYTES } from "../../../src/scoreboard/layout.ts";
import { seriesKey } from "../../../src/scoreboard/series-key.ts";
import { WrittenPage } from "../../support/written-page.ts";

const REQUESTS = "req|GET|200|http|1.1||";
/** No process has it. */
const DEAD = 2 ** 22 + 1;

function quiet(message: string): void {
  assert.fail(message);
}

/** Writes a page as a worker does. */
function write(page: ScoreboardPage | undefined, change: (page: WrittenPage) => void): void {
  assert.ok(page !== undefined);
  const file = new BoardFile(page.descriptor);
  const bytes = Buffer.alloc(PAGE_BYTES);
  file.read(bytes, page.offset);
  change(new WrittenPage(bytes));
  file.write(bytes, page.offset);
}

/** The first value of a series in a board's sums. */
function total(board: Scoreboard, key: string): number {
  return [...board.total()].find((series) => series.key.text === key)?.values[0] ?? 0;
}

function killed(board: Scoreboard): number {
  let sum = 0;
  for (const { key, values } of board.total())
    if (key.labels.includes("worker_killed")) for (const value of values.subarray(0, 15)) sum += value;
  return sum;
}

describe("The scoreboard of an arbiter", () => {
  test("counts live pages and those of workers that have ended, with their requests in flight", () => {
    const board = new Scoreboard(true, undefined, quiet);
    const page = board.allocate(1, 1, 1);
    write(page, (written) =>
      written
        .series(REQUESTS, 3)
        .header({ timeOrigin: Date.now() - 60_000 })
        .request(0, "GET", "/a", 0)
        .request(1, "PUT", "/b", 0),
    );
    assert.deepEqual(
      [total(board, REQUESTS), killed(board), board.readAll().workers.get(1)?.inFlight],
      [3, 0, 2],
    );
    const final = board.finish(1);
    assert.deepEqual(
      final?.requests.map(({ target }) => target),
      ["/a", "/b"],
    );
    assert.deepEqual([total(board, REQUESTS), killed(board), board.readAll().workers.size], [3, 2, 0]);
    const lost = [...board.total()].find(({ key }) => key.text === "req|GET||||worker_killed|");
    assert.equal(lost?.values[14], 1, "above the longest bound");
    assert.ok((lost?.values[15] ?? 0) >= 60);
    assert.equal(board.finish(1), undefined, "once");
    write(board.allocate(2, 1, 1), (written) => written.series(REQUESTS, 4));
    assert.equal(total(board, REQUESTS), 7);
  });

  test("keeps what is cumulative in vitals", () => {
    const board = new Scoreboard(true, undefined, quiet);
    for (const id of [1, 2]) {
      write(board.allocate(id, 5, id), (written) =>
        written.vitals({ time: 1, cpuUser: 100, connectionsAccepted: 3 }).header({ slot: 5 }),
      );
      board.finish(id);
    }
    assert.equal(total(board, "slot|5"), 200);
    assert.equal(total(board, "conn"), 6);
  });

  test("takes no harm from a worker that overwrites its header", () => {
    const board = new Scoreboard(true, undefined, quiet);
    const page = board.allocate(1, 1, 1) as ScoreboardPage;
    write(page, (written) => written.series(REQUESTS, 3));
    writeSync(page.descriptor, Buffer.alloc(64, 0xff), 0, 64, page.offset);
    assert.equal(total(board, REQUESTS), 0);
    assert.deepEqual(board.finish(1)?.series, []);
    assert.ok(board.allocate(2, 1, 1) !== undefined);
  });

  test("without a file counts what the arbiter counts", () => {
    const board = new Scoreboard(false, undefined, quiet);
    assert.equal(board.allocate(1, 1, 1), undefined);
    board.add(seriesKey(ARBITER_METRICS.starts, []), [1]);
    assert.equal(total(board, "starts"), 1);
    assert.equal(board.handover(), undefined);
  });

  test("is shared with a successor, and both report the same sums at every moment", () => {
    const old = new Scoreboard(true, undefined, quiet);
    write(old.allocate(1, 1, 1), (written) => written.series(REQUESTS, 10).header({ pid: process.pid }));
    old.add(seriesKey(ARBITER_METRICS.starts, []), [1]);
    const fresh = new Scoreboard(true, old.handover(), quiet);
    assert.equal(fresh.startedAt, old.startedAt);
    const same = (requests: number, starts: number): void => {
      for (const board of [old, fresh])
        assert.deepEqual([total(board, REQUESTS), total(board, "starts")], [requests, starts]);
    };
    same(10, 1);
    write(fresh.allocate(1, 1, 1), (written) => written.series(REQUESTS, 5));
    fresh.add(seriesKey(ARBITER_METRICS.starts, []), [1]);
    same(15, 2);
    old.finish(1);
    same(15, 2);
    fresh.otherGone("predecessor");
    assert.deepEqual([total(fresh, REQUESTS), total(fresh, "starts")], [15, 2]);
    const next = new Scoreboard(true, fresh.handover(), quiet);
    assert.deepEqual(
      [total(next, REQUESTS), total(next, "starts")],
      [15, 2],
      "nothing of the first is read twice",
    );
  });

  test("does not take the end of its predecessor, noticed late, for that of its successor", () => {
    const old = new Scoreboard(true, undefined, quiet);
    const fresh = new Scoreboard(true, old.handover(), quiet);
    const next = new Scoreboard(true, fresh.handover(), quiet);
    fresh.otherGone("predecessor");
    write(next.allocate(1, 1, 1), (written) => written.series(REQUESTS, 7));
    assert.deepEqual([total(fresh, REQUESTS), total(next, REQUESTS)], [7, 7]);
  });

  test("continues the sums of a successor that has failed", () => {
    const old = new Scoreboard(true, undefined, quiet);
    for (const expected of [4, 8]) {
      const failed = new Scoreboard(true, old.handover(), quiet);
      write(failed.allocate(1, 1, 1), (written) =>
        written.series(REQUESTS, 4).header({ pid: DEAD, timeOrigin: Date.now() }).request(0, "GET", "/", 0),
      );
      assert.equal(total(old, REQUESTS), expected);
      old.otherGone("successor");
      assert.deepEqual([total(old, REQUESTS), killed(old)], [expected, expected / 4]);
    }
  });

  test("waits for the workers of an arbiter that was killed", () => {
    const old = new Scoreboard(true, undefined, quiet);
    const page = old.allocate(1, 1, 1);
    write(page, (written) => written.series(REQUESTS, 1).header({ pid: process.pid }));
    const fresh = new Scoreboard(true, old.handover(), quiet);
    fresh.otherGone("predecessor");
    assert.equal(fresh.readAll().others.length, 1, "its worker lives, and counts");
    writeSync(
      (page as ScoreboardPage).descriptor,
      new Uint32Array([DEAD]),
      0,
      4,
      (page as ScoreboardPage).offset + HEADER.pid,
    );
    fresh.review();
    assert.equal(fresh.readAll().others.length, 0);
    assert.equal(total(fresh, REQUESTS), 1);
  });

  test("is repaired for a successor if an app has overwritten the sums", () => {
    const old = new Scoreboard(true, undefined, quiet);
    old.add(seriesKey(ARBITER_METRICS.starts, []), [3]);
    const page = old.allocate(1, 1, 1) as ScoreboardPage;
    writeSync(page.descriptor, Buffer.alloc(100_000, 0xff), 0, 100_000, 0);
    write(page, (written) => written.series(REQUESTS, 2));
    assert.equal(total(old, "starts"), 3);
    const fresh = new Scoreboard(true, old.handover(), quiet);
    assert.deepEqual([total(fresh, "starts"), total(fresh, REQUESTS)], [3, 2]);
  });

  test("of another layout is not shared: the successor begins anew", () => {
    const old = new Scoreboard(true, undefined, quiet);
    old.add(seriesKey(ARBITER_METRICS.starts, []), [1]);
    const handover = old.handover();
    const fresh = new Scoreboard(true, handover && { ...handover, layout: 999 }, quiet);
    assert.equal(total(fresh, "starts"), 0);
    assert.ok(fresh.allocate(1, 1, 1)?.descriptor !== handover?.descriptor);
  });
});
