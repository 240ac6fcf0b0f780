/** Node's report on an exhausted heap: taken once, and only of the worker that died. */
import assert from "node:assert/strict";
import { closeSync, fstatSync, writeSync } from "node:fs";
import { test } from "node:test";
import { openReportFile, parseHeapReport, takeHeapReport } from "../../../src/arbiter/records/heap-report.ts";

function report(changes: object = {}): string {
  return JSON.stringify({
    header: { trigger: "OOMError", processId: 42, ...changes },
    javascriptHeap: {
      usedMemory: 70,
      memoryLimit: 100,
      heapSpaces: { old_space: { used: 60 }, new_space: { used: 0 }, code_space: { used: 5 } },
    },
    environmentVariables: { PASSWORD: "hunter2" },
  });
}

test("it tells the limit and what filled the heap, the largest first", () => {
  assert.deepEqual(parseHeapReport(report(), 42), {
    heapUsed: 70,
    heapLimit: 100,
    heapSpaces: [
      { name: "old space", bytes: 60 },
      { name: "code", bytes: 5 },
    ],
  });
});

test("reports on anything else, of others, or broken ones are none", () => {
  for (const text of ["", "{", "null", "{}", report({ trigger: "FatalError" }), report({ processId: 43 })])
    assert.equal(parseHeapReport(text, 42), undefined, text);
});

test("the file is empty once it is read, also if the report was another worker's", {
  skip: process.platform === "linux" ? false : "only Linux has /dev/shm",
}, () => {
  const descriptor = openReportFile(undefined) as number;
  try {
    assert.equal(fstatSync(descriptor).nlink, 0, "it has no name");
    assert.equal(takeHeapReport(descriptor, 42), undefined);
    for (const pid of [42, 43]) {
      writeSync(descriptor, report(), 0);
      assert.equal(takeHeapReport(descriptor, pid)?.heapUsed, pid === 42 ? 70 : undefined);
      assert.equal(fstatSync(descriptor).size, 0);
    }
  } finally {
    closeSync(descriptor);
  }
});
