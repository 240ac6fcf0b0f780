/** The last words of a worker, as a line that its app may have written. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatLastWords, type LastWords, parseLastWords } from "../../src/ipc/last-words.ts";

test("what is said is heard, on one line", () => {
  const words: LastWords = { kind: "exit", message: "process.exit(7)\nand more", stack: "at f\nat g" };
  const line = formatLastWords(words);
  assert.ok(!line.includes("\n"));
  assert.deepEqual(parseLastWords(line), words);
});

test("they are short, and nothing else counts", () => {
  const long = "x".repeat(1_000_000);
  const words = parseLastWords(JSON.stringify({ lastWords: { kind: "abort", message: long, stack: long } }));
  assert.deepEqual([words?.message.length, words?.stack?.length], [1000, 8000]);
  const others = ["", "{", "null", "7", "{}", '{"lastWords":null}', '{"lastWords":{"kind":"exit"}}'];
  for (const line of [...others, '{"lastWords":{"kind":"song","message":"la","stack":null}}'])
    assert.equal(parseLastWords(line), undefined, line);
});
