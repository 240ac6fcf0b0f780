/** The file of the scoreboard, its regions, and what one arbiter reads of another's. */
import assert from "node:assert/strict";
import { fstatSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ARBITER_METRICS } from "../../src/scoreboard/arbiter-metrics.ts";
import { BoardFile } from "../../src/scoreboard/board-file.ts";
import {
  HEADER,
  MAX_PAGES,
  MAX_TOTALS_SERIES,
  PAGE_BYTES,
  regionOffset,
} from "../../src/scoreboard/layout.ts";
import { WORKER_METRICS } from "../../src/scoreboard/metrics.ts";
import { RegionReader, readPageInto } from "../../src/scoreboard/region-reader.ts";
import { RegionWriter } from "../../src/scoreboard/region-writer.ts";
import { seriesKey } from "../../src/scoreboard/series-key.ts";
import { MAX_ROUTES, SeriesTable } from "../../src/scoreboard/series-table.ts";
import { temporaryFolder } from "../support/command.ts";
import { WrittenPage } from "../support/written-page.ts";

const STARTS = seriesKey(ARBITER_METRICS.starts, []);

describe("The file of the scoreboard", () => {
  test("has no name, and only its owner could open it", (context) => {
    const folder = temporaryFolder(context);
    const file = BoardFile.create([folder]);
    context.after(() => file.close());
    assert.deepEqual(readdirSync(folder), []);
    const { mode, nlink } = fstatSync(file.descriptor);
    assert.equal(mode & 0o777, 0o600);
    assert.equal(nlink, 0);
  });

  test("is made in the next folder if the first allows none", (context) => {
    const folder = temporaryFolder(context);
    const file = BoardFile.create([join(folder, "missing"), folder]);
    context.after(() => file.close());
    assert.throws(() => BoardFile.create([join(folder, "missing")]), /ENOENT/);
  });

  test("is not made under a limit of file sizes: the kernel would kill the process", (context) => {
    const folder = temporaryFolder(context);
    const limits = join(folder, "limits");
    writeFileSync(limits, "Limit                     Soft Limit           Hard Limit           Units\n");
    BoardFile.create([folder], limits).close();
    writeFileSync(limits, "Max file size             1048576              unlimited            bytes\n");
    assert.throws(() => BoardFile.create([folder], limits), /ulimit -f/);
  });

  test("reads as zeros beyond its end", (context) => {
    mkdirSync(join(temporaryFolder(context), "x"));
    const file = BoardFile.create([temporaryFolder(context)]);
    context.after(() => file.close());
    const bytes = Buffer.alloc(10, 1);
    file.read(bytes, 1000);
    assert.deepEqual(bytes, Buffer.alloc(10));
  });
});

function twoArbiters(context: { after(clean: () => void): void }): {
  file: BoardFile;
  writer: RegionWriter;
  reader: RegionReader;
} {
  const file = BoardFile.create();
  context.after(() => file.close());
  const writer = new RegionWriter(file, 1);
  writer.begin(42);
  return { file, writer, reader: new RegionReader(file, 1) };
}

/** A worker's page, as it would stand in the file. */
function write(
  file: BoardFile,
  writer: RegionWriter,
  page: number,
  change: (page: WrittenPage) => void,
): void {
  const bytes = Buffer.alloc(PAGE_BYTES);
  readPageInto(file, writer.offsetOf(page), bytes);
  change(new WrittenPage(bytes));
  file.write(bytes, writer.offsetOf(page));
}

describe("A region", () => {
  test("gives each worker a page, and the lowest free one first", (context) => {
    const { file, writer, reader } = twoArbiters(context);
    assert.deepEqual([writer.allocate(1, 1), writer.allocate(2, 1), writer.allocate(3, 1)], [0, 1, 2]);
    write(file, writer, 1, (page) =>
      page.header({ pid: 9 }).series("rej|limit", 4).request(0, "GET", "/", 1),
    );
    assert.deepEqual(
      reader.read().pages.map(({ header, inFlight }) => [header.slot, header.pid, inFlight]),
      [
        [1, 0, 0],
        [2, 9, 1],
        [3, 0, 0],
      ],
    );
    writer.commit([], 1);
    assert.deepEqual(
      reader.read().pages.map(({ header }) => header.slot),
      [1, 3],
    );
    assert.equal(writer.allocate(4, 2), 1);
    assert.deepEqual(
      reader.read().pages.map(({ header, series, inFlight }) => [header.slot, series.length, inFlight]),
      [
        [1, 0, 0],
        [4, 0, 0],
        [3, 0, 0],
      ],
      "nothing of the worker before",
    );
  });

  test("is not read for ever, however many pages an app has it claim: the last good reading stands", (context) => {
    const { file, writer, reader } = twoArbiters(context);
    writer.allocate(1, 1);
    const good = reader.read();
    const claimed = Buffer.alloc(4);
    claimed.writeUInt32LE(MAX_PAGES);
    file.write(claimed, regionOffset(1) + HEADER.pages);
    let bytes = 0;
    const { read } = file;
    context.mock.method(file, "read", (buffer: Buffer, offset: number, length = buffer.length) => {
      bytes += length;
      read.call(file, buffer, offset, length);
    });
    assert.equal(reader.read().pages.length, 1);
    assert.ok(bytes < 2 * MAX_PAGES * 64 + PAGE_BYTES, `${bytes} bytes of free pages`);
    let now = 0;
    let looks = 0;
    context.mock.method(performance, "now", () => {
      looks += 1;
      now += 10;
      return now;
    });
    assert.deepEqual(reader.read(), good);
    assert.ok(looks < 100, `${looks} looks at the clock`);
  });

  test("keeps sums that another arbiter reads", (context) => {
    const { writer, reader } = twoArbiters(context);
    const table = new SeriesTable();
    writer.commit([table.add(STARTS, [1])]);
    writer.commit([
      table.add(STARTS, [2]),
      table.add(
        seriesKey(WORKER_METRICS.requestDuration, ["GET", "200", "http", "1.1", "", "/é"]),
        [1, 0, 5],
      ),
    ]);
    const { totals } = reader.read();
    assert.deepEqual(
      totals.map(({ key, values }) => [key.text, values[0], values[2]]),
      [
        ["starts", 3, 0],
        ["req|GET|200|http|1.1||/é", 1, 5],
      ],
    );
    reader.clear();
    assert.deepEqual(reader.read(), { totals: [], pages: [] });
  });

  test("is read as it was before while it changes", (context) => {
    const { file, writer, reader } = twoArbiters(context);
    const table = new SeriesTable();
    writer.commit([table.add(STARTS, [1])]);
    assert.equal(reader.read().totals[0]?.values[0], 1);
    const at = regionOffset(1) + HEADER.sequence;
    const sequence = Buffer.alloc(4);
    file.read(sequence, at);
    file.writeU32(sequence.readUInt32LE() + 1, at);
    file.write(Buffer.from(new Float64Array([7]).buffer), regionOffset(1) + 4096 + 128);
    assert.equal(reader.read().totals[0]?.values[0], 1, "half a change is not shown");
    assert.equal(reader.readAbandoned().totals[0]?.values[0], 7, "its arbiter has ended");
  });

  test("is read as it is after a change that takes longer: another arbiter may have told of it", (context) => {
    const { file, writer, reader } = twoArbiters(context);
    const table = new SeriesTable();
    writer.commit([table.add(STARTS, [1])]);
    assert.equal(reader.read().totals[0]?.values[0], 1);
    const { read } = file;
    let looks = 0;
    context.mock.method(file, "read", (buffer: Buffer, offset: number, length = buffer.length) => {
      read.call(file, buffer, offset, length);
      if (offset !== regionOffset(1)) return;
      looks += 1;
      if (looks === 50) writer.commit([table.add(STARTS, [1])]);
      else if (looks < 50) buffer.writeUInt32LE(1, HEADER.sequence);
    });
    assert.equal(reader.read().totals[0]?.values[0], 2);
  });

  test("of another layout is not read", (context) => {
    const { file, writer, reader } = twoArbiters(context);
    writer.commit([new SeriesTable().add(STARTS, [1])]);
    file.writeU32(999, regionOffset(1) + HEADER.version);
    assert.deepEqual(new RegionReader(file, 1).read(), { totals: [], pages: [] });
    assert.deepEqual(reader.read(), { totals: [], pages: [] });
  });
});

describe("A table of series", () => {
  test("loses no count, however many keys there are", () => {
    const table = new SeriesTable();
    const { requestDuration } = WORKER_METRICS;
    let added = 0;
    for (let route = 0; route < 3 * MAX_ROUTES; route++) {
      table.add(seriesKey(requestDuration, ["GET", "200", "http", "1.1", "", `/${route}`]), [1]);
      added += 1;
    }
    assert.equal(table.size, MAX_ROUTES + 1);
    for (let status = 100; status < 1000; status++) {
      for (const method of ["GET", "POST", "PUT", "DELETE"]) {
        table.add(seriesKey(requestDuration, [method, String(status), "http", "1.1", "", ""]), [1]);
        added += 1;
      }
    }
    assert.ok(table.size <= MAX_TOTALS_SERIES, `${table.size} series`);
    assert.equal(
      [...table].reduce((sum, { values }) => sum + (values[0] as number), 0),
      added,
    );
  });
});
