/** Every mutant of `npm run mutate` still applies to the source, and names a clause of the document. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { MUTANTS } from "./mutants/index.ts";
import { mutated } from "./mutants/mutant.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const DOCUMENT = readFileSync(join(ROOT, "docs", "gateway.md"), "utf8");

test("every mutant applies exactly once, and changes its file", () => {
  for (const mutant of MUTANTS) {
    const source = readFileSync(join(ROOT, "src", mutant.file), "utf8");
    assert.notEqual(mutated(mutant, source), source, mutant.name);
  }
});

test("a mutant whose text is missing or ambiguous is an error that says so", () => {
  const mutant = { name: "m", clause: "1", file: "f.ts", find: "a", replace: "b" };
  assert.throws(() => mutated(mutant, "c"), /"m" no longer applies: its text occurs 0 times in src\/f\.ts/);
  assert.throws(() => mutated(mutant, "aa"), /occurs 2 times/);
});

test("every mutant has a name of its own and a clause that exists", () => {
  assert.equal(new Set(MUTANTS.map((each) => each.name)).size, MUTANTS.length);
  for (const { name, clause } of MUTANTS)
    assert.ok(DOCUMENT.includes(`**${clause}** `), `${name}: ${clause}`);
});
