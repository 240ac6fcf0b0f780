/** The built page: its size, and that it is complete in itself. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const FOLDER = join(import.meta.dirname, "..", "..", "dist", "dashboard");
const FILES = ["dashboard.css", "dashboard.js", "index.html"];
/** An operator may look through a tunnel, from a telephone. */
const MAX_KILOBYTES = 150;

test("the page is three files, and small", () => {
  assert.deepEqual(readdirSync(FOLDER).sort(), [...FILES, "uplot.LICENSE"]);
  const kilobytes = FILES.reduce((sum, name) => sum + statSync(join(FOLDER, name)).size, 0) / 1000;
  assert.ok(kilobytes < MAX_KILOBYTES, `${kilobytes} kB`);
});

test("the page names no other place, and has nothing inline that its policy would block", () => {
  const html = readFileSync(join(FOLDER, "index.html"), "utf8");
  const sources = [...html.matchAll(/(?:src|href|action)="([^"]*)"/g)].map(([, value = ""]) => value);
  assert.deepEqual(
    sources.filter((source) => !/^(?:#\w+|dashboard\.(?:css|js)|data:image\/svg\+xml,.*)$/.test(source)),
    [],
  );
  assert.doesNotMatch(html, /<style|\sstyle=|\son\w+=|<script(?![^>]*src=)/);
  const css = readFileSync(join(FOLDER, "dashboard.css"), "utf8");
  assert.doesNotMatch(css, /url\(|@import/);
  const code = readFileSync(join(FOLDER, "dashboard.js"), "utf8");
  assert.doesNotMatch(code, /\beval\(|new Function|\.innerHTML|insertAdjacentHTML|document\.write/);
});
