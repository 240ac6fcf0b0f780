/** Every relative link in the documentation leads to an existing file and heading. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { ROOT, readPage } from "../support/page.ts";

const PAGES = [
  "README.md",
  "CHANGELOG.md",
  "SECURITY.md",
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
    const destination = file === "" ? path : normalize(join(dirname(path), file));
    if (!existsSync(join(ROOT, destination))) return [`${path}:${line}: ${target} does not exist`];
    if (anchor === undefined || readPage(destination).anchors.has(anchor)) return [];
    return [`${path}:${line}: ${destination} has no heading #${anchor}`];
  });
}

for (const path of PAGES) {
  test(`the links in ${path} work`, () => assert.deepEqual(brokenLinks(path), []));
}

test("the README links to every page of docs", () => {
  const linked = readPage("README.md").links.map(({ target }) => target.split("#")[0]);
  assert.deepEqual(
    markdownIn("docs").filter((page) => !linked.includes(page)),
    [],
  );
});
