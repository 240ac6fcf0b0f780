/** Keys of session tickets by a clock that the test turns, and the sessions of a server that gets new ones. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TicketKeys } from "../../../src/arbiter/tls/ticket-keys.ts";

const HOUR_MS = 3_600_000;

test("keys last for 12 hours, and each is as long as Node takes them", () => {
  let now = 5000;
  const keys = new TicketKeys(() => now);
  const first = keys.current;
  assert.equal(Buffer.from(first, "base64").length, 48);
  now += 12 * HOUR_MS - 1;
  assert.equal(keys.review(), undefined);
  assert.equal(keys.current, first);
  now += 1;
  const second = keys.review();
  assert.notEqual(second, first);
  assert.equal(keys.current, second);
  assert.equal(keys.review(), undefined, "told once");
  now += 12 * HOUR_MS;
  const third = keys.review();
  assert.equal(new Set([first, second, third]).size, 3);
});

test("two arbiters never have the same", () => {
  assert.notEqual(new TicketKeys(() => 0).current, new TicketKeys(() => 0).current);
});
