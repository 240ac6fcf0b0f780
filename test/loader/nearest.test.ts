import assert from "node:assert/strict";
import { test } from "node:test";
import { nearestName } from "../../src/loader/nearest.ts";

test("the nearest name is a typo away, and never a wild guess", () => {
  const names = ["handler", "app", "create"];
  assert.equal(nearestName("handlr", names), "handler");
  assert.equal(nearestName("hanlder", names), "handler");
  assert.equal(nearestName("Handler", names), "handler");
  assert.equal(nearestName("ap", names), "app");
  assert.equal(nearestName("creat", names), "create");
  assert.equal(nearestName("server", names), undefined);
  assert.equal(nearestName("x", ["y", ...names]), undefined);
  assert.equal(nearestName("handler", []), undefined);
});
