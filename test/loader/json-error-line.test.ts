import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonErrorLine } from "../../src/loader/json-error-line.ts";

const GOOD = ["{}", " [1, -2.5e3, true, null]\n", '{"a": {"b": ["\\u00e9\\n"]}}', '"text"'];
const BAD: [text: string, line: number][] = [
  ["", 1],
  ["{\n}\n}", 3],
  ['{\n"a": 1,\n}', 3],
  ['{\n"a": 1\n"b": 2}', 3],
  ['{\n\n"a": nope}', 3],
  ["[\n'a']", 2],
  ['[\n"a\n"]', 2],
  ["[1,\n2", 2],
  ["01", 1],
];

for (const text of GOOD) {
  test(`${JSON.stringify(text)} is JSON`, () => {
    JSON.parse(text);
    assert.equal(jsonErrorLine(text), undefined);
  });
}

for (const [text, line] of BAD) {
  test(`${JSON.stringify(text)} is not JSON from line ${line} on`, () => {
    assert.throws(() => JSON.parse(text));
    assert.equal(jsonErrorLine(text), line);
  });
}
