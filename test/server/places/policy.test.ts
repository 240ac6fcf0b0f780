import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { headLateness } from "../../../src/server/places/head-lateness.ts";
import { type Candidate, choose, RULES, SCARCITIES, type Wait } from "../../../src/server/places/policy.ts";
import { randomNumbers } from "../../support/random.ts";

const of = (occupant: string, wait: Wait, late: number): Candidate<string> => ({ occupant, wait, late });
const names = (candidates: readonly Candidate<string>[]): string[] =>
  candidates.map(({ occupant }) => occupant);

describe("the choice of the connections that lose their place", () => {
  test("goes by kind, and then by lateness", () => {
    const all = [
      of("reader", "reader", 60_000),
      of("kept", "next request", 50_000),
      of("silent", "first byte", 600),
      of("older", "first byte", 9000),
      of("head", "head", 20_000),
      of("end", "end", 700),
      of("content", "content", 55_000),
      of("front", "front", 3000),
    ];
    const order = ["end", "older", "silent", "front", "head", "kept", "content", "reader"];
    for (let wanted = 0; wanted <= all.length + 1; wanted += 1)
      assert.deepEqual(names(choose(all, wanted, "full").chosen), order.slice(0, wanted));
  });

  test("spares kept connections while places are only scarce", () => {
    const all = RULES.map(({ wait }) => of(wait, wait, 60_000));
    assert.deepEqual(
      names(choose(all, 10, "scarce").chosen),
      RULES.map(({ wait }) => wait).filter((wait) => wait !== "next request"),
    );
    assert.equal(choose(all, 10, "full").chosen.length, RULES.length);
  });

  test("closes nobody before the time of its kind, and says when the next one is due", () => {
    for (const { wait, from: usual, tight = usual, early: isEarly } of RULES)
      for (const scarcity of SCARCITIES) {
        if (!isEarly && scarcity !== "full") continue;
        for (const steady of [true, false]) {
          const from = steady || scarcity === "scarce" ? usual : tight;
          const soon = [from - 1, from - 100].map((late) => ({ ...of("a", wait, late), steady }));
          assert.deepEqual(choose(soon, 5, scarcity), { chosen: [], nextIn: 1 });
          assert.deepEqual(names(choose([{ ...of("a", wait, from), steady }], 5, scarcity).chosen), ["a"]);
        }
      }
    assert.deepEqual(choose([], 5, "full"), { chosen: [], nextIn: undefined });
  });

  test("a large head may take longer than a small one", () => {
    assert.equal(headLateness(1000, 0), 1000);
    assert.equal(headLateness(3000, 8192), 1000);
  });

  test("never chooses more than wanted, nor one that is spared while a later one stays", () => {
    const random = randomNumbers(5);
    for (let round = 0; round < 500; round += 1) {
      const all = Array.from({ length: random(40) }, (_, index) => {
        const { wait } = RULES[random(RULES.length)] as (typeof RULES)[number];
        return { ...of(`${index}`, wait, random(20_000)), steady: random(2) === 0 };
      });
      const scarcity = SCARCITIES[random(3)] as (typeof SCARCITIES)[number];
      const wanted = random(20);
      const { chosen } = choose(all, wanted, scarcity);
      const rules = new Map(RULES.map((rule, rank) => [rule.wait, { ...rule, rank }]));
      const rank = ({ wait }: Candidate<string>): number => rules.get(wait)?.rank ?? -1;
      const due = all.filter(({ wait, late, steady }) => {
        const { from = 0, tight = from, early = false } = rules.get(wait) ?? {};
        return late >= (steady || scarcity === "scarce" ? from : tight) && (early || scarcity === "full");
      });
      const expected = due.sort((a, b) => rank(a) - rank(b) || b.late - a.late).slice(0, wanted);
      const shape = (those: readonly Candidate<string>[]) => those.map(({ wait, late }) => `${wait} ${late}`);
      assert.deepEqual(shape(chosen), shape(expected));
    }
  });
});
