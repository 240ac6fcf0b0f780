import assert from "node:assert/strict";
import { test } from "node:test";
import { shellWords } from "../../src/cli/shell-words.ts";

const SPLIT: [text: string, words: string[]][] = [
  ["", []],
  ["  -w 4\t--bind\nunix:/a  ", ["-w", "4", "--bind", "unix:/a"]],
  [`--name 'two words' "and 'more'"`, ["--name", "two words", "and 'more'"]],
  [`--env=A="x y"'z'\\ !`, ["--env=A=x yz !"]],
  [`"a\\"b" "c\\d" '\\' \\'`, ['a"b', "c\\d", "\\", "'"]],
  [`'' ""`, ["", ""]],
];

for (const [text, words] of SPLIT) {
  test(`${JSON.stringify(text)} is ${words.length} words`, () => assert.deepEqual(shellWords(text), words));
}

test("an unterminated quote is refused with its position", () => {
  assert.throws(() => shellWords("a 'b"), { message: "the quote ' at character 3 is not terminated" });
  assert.throws(() => shellWords('a "b\\"'), { message: 'the quote " at character 3 is not terminated' });
  assert.throws(() => shellWords("a\\"), { message: "there is nothing after the last backslash" });
});
