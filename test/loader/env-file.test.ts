/** Files of variables: what they set, and what counts as a mistake. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { locateEnvFile, readEnvFiles } from "../../src/loader/env-file.ts";
import { temporaryFolder } from "../support/command.ts";

const GOOD: [text: string, variables: Record<string, string>][] = [
  ["", {}],
  ["\n  \n# comment\n   # another = one\n", {}],
  ["A=b", { A: "b" }],
  ["A=b\n  \nC=d\n\t\r\n # e\nF=g", { A: "b", C: "d", F: "g" }],
  ["A=b\r\n\r\nC=d\r\n", { A: "b", C: "d" }],
  ["\uFEFFA=b\n", { A: "b" }],
  ["  A = b  \nexport C=d\n", { A: "b", C: "d" }],
  ["A=\nB=''\n", { A: "", B: "" }],
  ['A=b # comment\nB="c # d" # comment\n', { A: "b", B: "c # d" }],
  ["A=https://x.test/?a=b&c=d\n", { A: "https://x.test/?a=b&c=d" }],
  ["KEY='-----BEGIN\nno variable\n-----END'\nB=c\n", { KEY: "-----BEGIN\nno variable\n-----END", B: "c" }],
  ['A=`it\'s "so"`\n', { A: 'it\'s "so"' }],
  ["A=b\nA=c\n", { A: "c" }],
  ["A='90s\nB=\"c", { A: "'90s", B: '"c' }],
];

const BAD: [text: string, line: number][] = [
  ["A", 1],
  ["A=b\n\nexport C\n", 3],
  ['{\n  "A": 1\n}\n', 1],
  ["A: b\n", 1],
  ["=b\n", 1],
  ['A="b\n#\nC\n', 3],
  ["A='b\nc'\nD\n", 3],
];

test("a line that sets no variable is an error with its number; a line of spaces is none", (context) => {
  const path = join(temporaryFolder(context), "a.env");
  for (const [text, variables] of GOOD) {
    writeFileSync(path, text);
    assert.deepEqual(readEnvFiles([{ path, isOptional: false }]), variables, JSON.stringify(text));
  }
  for (const [text, line] of BAD) {
    writeFileSync(path, text);
    const message = `env-file: ${path}:${line}: a line must be NAME=value, a comment or empty`;
    assert.throws(() => readEnvFiles([{ path, isOptional: true }]), { message, exitCode: 2 }, text);
  }
});

test("a ? at the end of a name allows the file to be missing, or to be a folder", (context) => {
  const folder = temporaryFolder(context);
  assert.deepEqual(locateEnvFile("a.env", folder), { path: join(folder, "a.env"), isOptional: false });
  assert.deepEqual(locateEnvFile("/b.env?", folder), { path: "/b.env", isOptional: true });
  assert.deepEqual(readEnvFiles([locateEnvFile("none?", folder), locateEnvFile(".?", folder)]), {});
});
