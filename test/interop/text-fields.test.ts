/** Remembered content types hold no more memory than themselves. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { TEXT_TYPE } from "../../src/interop/text-fields.ts";

test("a type that was cut from a large text does not keep the text in memory", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const bytes = 1_000_000;
  const count = 40;
  for (let number = 0; number < count; number += 1) {
    const text = Buffer.alloc(bytes, 0x61).toString("latin1") + String(number).padStart(30, "b");
    const type = text.slice(bytes);
    assert.deepEqual(TEXT_TYPE.fields({ "Content-Type": type })?.list, ["content-type", type]);
  }
  collect();
  const { heapUsed } = process.memoryUsage();
  assert.ok(heapUsed < (count / 2) * bytes + 20e6, `${heapUsed} bytes`);
  assert.equal(TEXT_TYPE.fields({ "Content-Type": "0".padStart(30, "b") })?.list[1], "0".padStart(30, "b"));
});
