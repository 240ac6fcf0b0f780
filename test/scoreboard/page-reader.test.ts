/** The arbiter reads pages that are written by the layout alone, and pages that hold anything. */
import assert from "node:assert/strict";
import { randomFillSync } from "node:crypto";
import { describe, test } from "node:test";
import {
  HEADER,
  LAYOUT_VERSION,
  MAX_REQUESTS,
  MAX_SERIES,
  NOTE_BYTES,
  PAGE_BYTES,
  REQUEST,
  REQUESTS_OFFSET,
  STDERR_BYTES,
} from "../../src/scoreboard/layout.ts";
import {
  countRequests,
  oldestRequest,
  readHeader,
  readNote,
  readRequests,
  readSeries,
  readStderr,
  readVitals,
} from "../../src/scoreboard/page-reader.ts";
import { WrittenPage } from "../support/written-page.ts";

const REQUESTS = "req|GET|200|http|1.1||";

describe("A page of the scoreboard", () => {
  test("tells whose it is", () => {
    const { bytes } = new WrittenPage().header({ pid: 7, slot: 3, generation: 2, timeOrigin: 1000 });
    assert.deepEqual(readHeader(bytes), {
      isInUse: true,
      pid: 7,
      slot: 3,
      generation: 2,
      seriesCount: 0,
      timeOrigin: 1000,
    });
    bytes.writeUInt32LE(LAYOUT_VERSION + 1, HEADER.version);
    assert.equal(readHeader(bytes), undefined, "another layout");
    assert.equal(readHeader(Buffer.alloc(PAGE_BYTES)), undefined, "never used");
  });

  test("has the requests in flight, oldest first", () => {
    const { bytes } = new WrittenPage()
      .header({ timeOrigin: 1000 })
      .request(4, "POST", "/late", 30)
      .request(9, "GET", "/early?a=1", 20);
    assert.deepEqual(readRequests(bytes), [
      { method: "GET", target: "/early?a=1", startedAt: 1020 },
      { method: "POST", target: "/late", startedAt: 1030 },
    ]);
    bytes.writeUInt32LE(5, HEADER.unlistedRequests);
    const plain = [1, 1, 0, 0, 0, 0, 0, 0, 0, 5];
    assert.deepEqual(countRequests(bytes), [...plain, ...plain.map(() => 0)]);
    assert.equal(oldestRequest(bytes), 1020);
    assert.equal(oldestRequest(new WrittenPage().bytes), undefined);
    bytes.writeDoubleLE(Number.NaN, HEADER.timeOrigin);
    assert.equal(oldestRequest(bytes), 20, "an origin that is no number counts as none");
  });

  test("has series, of which keys that name no metric are left out", () => {
    const { bytes } = new WrittenPage()
      .series(REQUESTS, 1, 2)
      .series("nothing|x", 9)
      .series("req|too|few", 9)
      .series("starts", 9)
      .series("rej|limit", 3);
    const found = readSeries(bytes).map(({ key, values }) => [key.text, values[0], values[1]]);
    assert.deepEqual(found, [
      [REQUESTS, 1, 2],
      ["rej|limit", 3, 0],
    ]);
  });

  test("keeps the last lines of standard error when the ring has wrapped", () => {
    assert.deepEqual(readStderr(new WrittenPage().bytes), []);
    assert.deepEqual(readStderr(new WrittenPage().stderr("one\ntwo\n").bytes), ["one", "two"]);
    const long = Array.from({ length: 2000 }, (_, index) => `line ${index}`);
    const kept = readStderr(new WrittenPage().stderr(`${long.join("\n")}\n`).bytes);
    assert.equal(kept.at(-1), "line 1999");
    assert.deepEqual(kept, long.slice(-kept.length), "whole lines only");
    assert.ok(kept.join("\n").length > STDERR_BYTES - 20);
  });

  test("shows colours and control characters of standard error as nothing", () => {
    const { bytes } = new WrittenPage().stderr("\u001b[31mred\u001b[0m\ta\u0007b\u0085c\r\n");
    assert.deepEqual(readStderr(bytes), ["red\tabc"]);
  });

  test("has a note, cut to its room", () => {
    assert.equal(readNote(new WrittenPage().bytes), undefined);
    const page = new WrittenPage().note('{"message":"ä"}');
    assert.equal(readNote(page.bytes), '{"message":"ä"}');
    page.bytes.writeUInt32LE(0xffffffff, HEADER.noteLength);
    assert.equal(Buffer.byteLength(readNote(page.bytes) ?? ""), NOTE_BYTES);
  });

  test("has no vitals before they are measured", () => {
    assert.equal(readVitals(new WrittenPage().bytes), undefined);
    const { bytes } = new WrittenPage().vitals({ time: 5, heapUsed: 7, rss: Number.NaN });
    assert.equal(readVitals(bytes)?.heapUsed, 7);
    assert.equal(readVitals(bytes)?.rss, 0);
  });

  test("cleans labels and counts that a worker's app has made up", () => {
    const { bytes } = new WrittenPage()
      .series("req|G\u0000T|0x1|gopher|one|because|/\u001b[31m\n", 1)
      .series("rej|<b>", 1)
      .series("queue", -5, Number.POSITIVE_INFINITY, Number.NaN, 2 ** 60, 4);
    const [request, rejected, queue] = readSeries(bytes);
    assert.equal(request?.key.text, "req|_OTHER|||||/?[31m?".replace("|||||", "||||_other|"));
    assert.equal(rejected?.key.text, "rej|_other");
    assert.deepEqual([...(queue?.values.subarray(0, 5) ?? [])], [0, 0, 0, 0, 4]);
  });

  test("of random bytes yields bounded data and no error", () => {
    for (let round = 0; round < 30; round++) {
      const page = randomFillSync(Buffer.alloc(PAGE_BYTES));
      if (round % 2 === 0) new WrittenPage(page).bytes.writeUInt32LE(0xffffffff, HEADER.seriesCount);
      readHeader(page);
      assert.ok(Object.values(readVitals(page) ?? {}).every(Number.isFinite));
      const requests = readRequests(page);
      assert.ok(requests.length <= MAX_REQUESTS);
      for (const { target } of requests) assert.doesNotMatch(target, /\p{Cc}/u);
      assert.ok(readSeries(page).length <= MAX_SERIES);
      assert.doesNotMatch(readStderr(page).join("\n"), /[^\P{Cc}\n\t]/u);
      readNote(page);
    }
  });

  test("whose entries claim to be longer than they are yields no byte of the next", () => {
    const { bytes } = new WrittenPage().request(0, "GET", "/a", 1).request(1, "GET", "/secret", 2);
    bytes.writeUInt16LE(0xffff, REQUESTS_OFFSET + REQUEST.targetLength);
    assert.doesNotMatch(readRequests(bytes)[0]?.target ?? "", /secret/);
  });
});
