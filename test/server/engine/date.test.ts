/** The Date of responses goes on with the clock, though that is read once a second. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startEngine } from "../../support/engine.ts";

test("Date is the current second, in every response", async (context) => {
  const server = await startEngine(context, (_request, respond) => void respond(200, {}, "x"));
  const seen = new Set<number>();
  const deadline = Date.now() + 10_000;
  while (seen.size < 2 && Date.now() < deadline) {
    const before = Date.now();
    const response = await fetch(`http://127.0.0.1:${server.port}/`);
    await response.text();
    const date = Date.parse(response.headers.get("date") ?? "");
    // The timer that ends the second may be a little late, and later on a busy machine.
    assert.ok(date > before - 3000 && date <= Date.now(), `${date} between ${before} and ${Date.now()}`);
    seen.add(date);
  }
  assert.equal(seen.size, 2, "the date stands still");
});
