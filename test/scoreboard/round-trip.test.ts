/** The arbiter reads all that a worker writes to its page: mapped or through the file. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { mapShared } from "../../src/native/shared-memory.ts";
import { BoardFile } from "../../src/scoreboard/board-file.ts";
import { METHODS, PAGE_BYTES, VITALS } from "../../src/scoreboard/layout.ts";
import {
  readHeader,
  readNote,
  readRequests,
  readStderr,
  readVitals,
} from "../../src/scoreboard/page-reader.ts";
import { PageWriter } from "../../src/scoreboard/page-writer.ts";
import { pageCounts, readPageInto } from "../../src/scoreboard/region-reader.ts";
import { RegionWriter } from "../../src/scoreboard/region-writer.ts";

describe("A page that a worker has written", () => {
  for (const isMapped of [false, true]) {
    test(`is read by the arbiter, ${isMapped ? "mapped" : "through the file"}`, (context) => {
      const file = BoardFile.create();
      context.after(() => file.close());
      const region = new RegionWriter(file, 1);
      region.begin(1);
      const offset = region.offsetOf(region.allocate(3, 2));
      const owner = { pid: 77, slot: 3, generation: 2, timeOrigin: 1_000_000 };
      const writer = new PageWriter(file.descriptor, offset, owner);
      if (isMapped) writer.map(mapShared);
      assert.equal(writer.isMapped, isMapped);
      const ended = writer.beginRequest("GET", "/ended", 5);
      writer.beginRequest("BREW", "/going-on", 6, true);
      writer.endRequest(ended);
      writer.observe(writer.series("req|GET|200|http|1.1||"), 1, 0.01);
      writer.increment(writer.series("rej|limit"));
      writer.writeVitals(Float64Array.from(VITALS, (_, index) => index + 1));
      writer.appendStderr("first\nlast\n");
      writer.leaveNote({ kind: "exception", message: "it is over", stack: "Error: it is over\n    at x" });
      writer.flush();

      const page = Buffer.alloc(PAGE_BYTES);
      readPageInto(file, offset, page);
      assert.deepEqual(readHeader(page), { isInUse: true, ...owner, seriesCount: 2 });
      assert.deepEqual(readRequests(page), [{ method: "_OTHER", target: "/going-on", startedAt: 1_000_006 }]);
      const counts = pageCounts(page);
      assert.equal(counts?.inFlight, 1);
      assert.equal(counts?.methods.lastIndexOf(1), 2 * METHODS.length - 1, "the last of those with TLS");
      assert.deepEqual(
        counts?.series.map(({ key, values }) => [key.text, values[0], values[1], values[15]]),
        [
          ["req|GET|200|http|1.1||", 0, 1, 0.01],
          ["rej|limit", 1, 0, 0],
        ],
      );
      assert.equal(readVitals(page)?.time, 1);
      assert.equal(readVitals(page)?.openDescriptors, VITALS.indexOf("openDescriptors") + 1);
      assert.deepEqual(readStderr(page), ["first", "last"]);
      assert.match(readNote(page) ?? "", /it is over/);
    });
  }
});
