import assert from "node:assert/strict";
import { test } from "node:test";
import { ownCopy } from "../../src/native/own-copy.ts";

test("a copy equals its text", () => {
  for (const text of ["", "192.0.2.1", "\xe9\xff\x80"]) assert.equal(ownCopy(text), text);
});
