/** Every relative link of the documentation leads to a file that is there, and to a heading of it. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { ROOT, readPage } from "../support/page.ts";

const PAGES = [
  "README.md",
  "CHANGELOG.md",
  ...markdownIn("docs"),
  ...markdownIn("examples").filter((path) => !path.includes("node_modules")),
];

function markdownIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".md"))
    .map((file) => join(folder, file))
    .sort();
}

function brokenLinks(path: string): string[] {
  return readPage(path).links.flatMap(({ target, line }) => {
    if (/^[a-z]+:/.test(target)) return [];
    const [file = "", anchor] = target.split("#");
    const led = file === "" ? path : normalize(join(dirname(path), file));
    if (!existsSync(join(ROOT, led))) return [`${path}:${line}: ${target} is not there`];
    if (anchor === undefined || readPage(led).anchors.has(anchor)) return [];
    return [`${path}:${line}: ${led} has no heading #${anchor}`];
  });
}

for (const path of PAGES) {
  test(`${path} links to what is there`, () => assert.deepEqual(brokenLinks(path), []));
}

test("each page of docs is in the README's index, and is found from there", () => {
  const linked = readPage("README.md").links.map(({ target }) => target.split("#")[0]);
  assert.deepEqual(
    markdownIn("docs").filter((page) => !linked.includes(page)),
    [],
  );
});
