/** The pid file's names during an upgrade. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ServerPidFile } from "../../../src/arbiter/upgrade/server-pid-file.ts";
import type { ErrorLog } from "../../../src/log/error-log.ts";
import { temporaryFolder } from "../../support/command.ts";

const OWN = `${process.pid}\n`;
/** Beyond pid_max, so no process has it. */
const GONE = 2 ** 30;
const LOG = { error: (message: string) => assert.fail(message) } as unknown as ErrorLog;

test("a server without predecessor claims the file and removes it", (context) => {
  const path = join(temporaryFolder(context), "app.pid");
  const file = new ServerPidFile(path, undefined, LOG);
  file.claim();
  assert.equal(readFileSync(path, "utf8"), OWN);
  file.remove();
  assert.equal(existsSync(path), false);
});

test("a new arbiter's file is named .2 until its predecessor is gone", (context) => {
  const path = join(temporaryFolder(context), "app.pid");
  writeFileSync(path, `${GONE}\n`);
  const file = new ServerPidFile(path, GONE, LOG);
  file.claim();
  assert.equal(readFileSync(path, "utf8"), `${GONE}\n`);
  assert.equal(readFileSync(`${path}.2`, "utf8"), OWN);
  file.takeName();
  assert.equal(readFileSync(path, "utf8"), OWN);
  assert.equal(existsSync(`${path}.2`), false);
});

test("the file that a failed successor left behind is deleted, and no other", (context) => {
  const path = join(temporaryFolder(context), "app.pid");
  const file = new ServerPidFile(path, undefined, LOG);
  file.claim();
  writeFileSync(`${path}.2`, `${GONE}\n`);
  file.clearUpAfter(GONE + 1);
  assert.equal(existsSync(`${path}.2`), true);
  file.clearUpAfter(GONE);
  assert.equal(existsSync(`${path}.2`), false);
});

test("without --pid no file is touched", (context) => {
  const before = process.cwd();
  context.after(() => process.chdir(before));
  process.chdir(temporaryFolder(context));
  // The name that a path with an undefined part would have.
  writeFileSync("undefined.2", `${GONE}\n`);
  const file = new ServerPidFile(undefined, GONE, LOG);
  file.claim();
  file.takeName();
  file.clearUpAfter(GONE);
  file.remove();
  assert.deepEqual(readdirSync("."), ["undefined.2"]);
});
