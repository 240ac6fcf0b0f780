/** A list of members is a set of them, whatever the order in which they come and go. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemberList } from "../../src/server/member-list.ts";
import { randomNumbers } from "../support/random.ts";

class Item {
  place = -1;
}

test("a list holds what was added and not removed", () => {
  const random = randomNumbers(7);
  const list = new MemberList<Item>();
  const expected = new Set<Item>();
  const items = Array.from({ length: 50 }, () => new Item());
  for (let step = 0; step < 5000; step += 1) {
    const item = items[random(items.length)] as Item;
    if (expected.delete(item)) list.delete(item);
    else {
      expected.add(item);
      list.add(item);
    }
    assert.equal(list.size, expected.size);
    if (step % 50 === 0) assert.deepEqual(new Set(list), expected);
  }
  for (const item of items) list.delete(item);
  assert.deepEqual([...list], []);
  for (const item of items) list.delete(item);
  assert.equal(list.size, 0);
});

test("every member is visited although members go and come meanwhile", () => {
  const list = new MemberList<Item>();
  const items = Array.from({ length: 10 }, () => new Item());
  for (const item of items) list.add(item);
  const seen = new Set<Item>();
  for (const item of list) {
    seen.add(item);
    list.delete(item);
    list.add(new Item());
  }
  assert.deepEqual(seen, new Set(items));
  const [first] = items;
  list.add(first as Item);
  for (const item of list) list.delete(item);
  assert.equal(list.size, 0);
});
