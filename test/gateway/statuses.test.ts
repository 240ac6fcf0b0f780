import assert from "node:assert/strict";
import { STATUS_CODES } from "node:http";
import { test } from "node:test";
import { REASONS } from "../../src/gateway/statuses.ts";

test("the reason phrases are those of node:http, so that both servers send the same", () => {
  assert.deepEqual({ ...REASONS }, { ...STATUS_CODES });
});
