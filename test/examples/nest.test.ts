import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { test } from "node:test";
import { installedExample } from "../support/installed-example.ts";
import { testNotesApp } from "../support/notes-app.ts";

const NEST = { name: "nest", app: "src/app.ts:create()", server: "src/main.ts" };

testNotesApp({ name: "NestJS", example: (test) => installedExample(test, NEST) });

test("the NestJS example has no type errors", async (t) => {
  const example = await installedExample(t, NEST);
  if (example === undefined) return;
  const tsc = createRequire(import.meta.url)
    .resolve("typescript/package.json")
    .replace("package.json", "bin/tsc");
  const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", example.folder], { encoding: "utf8" });
  assert.equal(status, 0, stdout);
});
