/** The measure of a heap near its limit. That a leaking app loses no request is in test/faults/leak.test.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HeapPressure, oldSpaceLimit } from "../../src/worker/heap-pressure.ts";

test("a heap is full if much is left of it after a collection", () => {
  const heap = new HeapPressure(100);
  assert.equal(heap.look(90, 1), false, "it may be garbage");
  assert.equal(heap.look(90, 1), false);
  assert.equal(heap.look(70, 2), false, "it was");
  assert.equal(heap.look(85, 2), false);
  assert.equal(heap.look(85, 3), true);
});

test("the limit is that of the last flag", () => {
  assert.equal(oldSpaceLimit(["--max-old-space-size=64", "--max-old-space-size=32", "--x"]), 32 * 1024 ** 2);
  assert.equal(oldSpaceLimit(["--enable-source-maps"]), undefined);
});
