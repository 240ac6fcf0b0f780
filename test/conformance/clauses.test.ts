/** Checks the suite, the errors and lint against the document: every clause is covered, and every reference exists. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CASES } from "../../src/conformance/suite.ts";
import { clause } from "../../src/gateway/clauses.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const DOCUMENT = readFileSync(join(ROOT, "docs", "gateway.md"), "utf8");

/** Clauses with a MUST that no case can test from outside, and why. */
const NOT_OBSERVABLE: { readonly [clause: string]: string } = {
  "4.7.1": "takes TLS: covered by the tests of the server",
  "4.7.2": "takes a load balancer: covered by the tests of the server",
  "6.4.6": "binds the app: the effect of changing bytes too early differs between servers",
  "12.5": "the process forces a worker to exit: covered by the tests of the worker",
};

/** The text of every numbered clause. */
function clauses(): Map<string, string> {
  const found = new Map<string, string>();
  for (const part of DOCUMENT.split(/\n(?=\*\*\d+(?:\.\d+)+\*\* |#{2,3} )/)) {
    const match = /^\*\*(\d+(?:\.\d+)+)\*\* /.exec(part);
    if (match === null) continue;
    const [, id = ""] = match;
    assert.ok(!found.has(id), `clause ${id} occurs twice`);
    found.set(id, part);
  }
  return found;
}

const CLAUSES = clauses();
assert.ok(CLAUSES.size > 90, `${CLAUSES.size} clauses found in docs/gateway.md`);
const covered = new Set(CASES.flatMap((each) => each.clauses));
const headings = new Set(
  [...DOCUMENT.matchAll(/^#{2,3} (\d+(?:\.\d+)*)\.? /gm)].map((match) => match[1] as string),
);

test("every clause with a MUST has a case, or a reason why it has none", () => {
  const missing = [...CLAUSES]
    .filter(([id, text]) => /\bMUST\b/.test(text) && !covered.has(id) && NOT_OBSERVABLE[id] === undefined)
    .map(([id]) => id);
  assert.deepEqual(missing, []);
});

test("the clauses listed as untestable exist and have no case", () => {
  for (const id of Object.keys(NOT_OBSERVABLE)) {
    assert.match(CLAUSES.get(id) ?? "", /\bMUST\b/, `clause ${id}`);
    assert.ok(!covered.has(id), `clause ${id} has a case`);
  }
});

test("every case names clauses that exist", () => {
  for (const each of CASES) {
    for (const id of each.clauses) assert.ok(CLAUSES.has(id), `${each.title} names clause ${id}`);
  }
});

test("errors name sections that exist", () => {
  for (const section of Object.values(clause)) {
    const id = section.replace(/^section /, "");
    assert.ok(headings.has(id) || CLAUSES.has(id), `${section} is not in docs/gateway.md`);
  }
});

test("lint names clauses that exist", () => {
  const folder = join(ROOT, "src", "gateway");
  const named = readdirSync(folder)
    .filter((file) => file.startsWith("lint"))
    .flatMap((file) => [
      ...readFileSync(join(folder, file), "utf8").matchAll(/(?:"|\(section )(\d+(?:\.\d+)+)\b/g),
    ])
    .map((match) => match[1] as string);
  const versions = new Set(["1.0", "1.1", "2.0"]);
  assert.ok(named.length > 40);
  for (const id of new Set(named.filter((each) => !versions.has(each))))
    assert.ok(headings.has(id) || CLAUSES.has(id), `clause ${id}`);
});

test("references within the document have a target", () => {
  const text = DOCUMENT.replace(/RFC \d+ section [\d.]+|section [\d.]+ says/g, "");
  const named = [...text.matchAll(/\((\d+(?:\.\d+)+)(?:, (\d+(?:\.\d+)+))*\)/g)];
  for (const match of named) {
    for (const id of match[0].slice(1, -1).split(", ")) {
      assert.ok(headings.has(id) || CLAUSES.has(id), `the document refers to ${id}`);
    }
  }
});
