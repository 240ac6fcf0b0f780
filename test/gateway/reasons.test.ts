import assert from "node:assert/strict";
import { STATUS_CODES } from "node:http";
import { test } from "node:test";
import { REASONS } from "../../src/gateway/reasons.ts";

test("the reason phrases are those of node:http, so that an answer reads the same on both servers", () => {
  assert.deepEqual({ ...REASONS }, { ...STATUS_CODES });
});
