/** Which names a log is opened by, and whose links are followed. */
import assert from "node:assert/strict";
import { closeSync, existsSync, lchownSync, openSync, readFileSync, symlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openAppending } from "../../src/log/appended-file.ts";
import { temporaryFolder } from "../support/command.ts";

const ROOT_ONLY = { skip: process.geteuid?.() !== 0 && "only root can give a link to another user" };
const STRANGER = 65_534;

function append(file: string, text: string): void {
  const fd = openAppending(file);
  writeSync(fd, text);
  closeSync(fd);
}

test("a file is created, appended to, and found through our own links", (context) => {
  const folder = temporaryFolder(context);
  const file = join(folder, "2026.log");
  symlinkSync("2026.log", join(folder, "current"));
  symlinkSync(join(folder, "current"), join(folder, "app.log"));
  append(join(folder, "app.log"), "one\n");
  append(file, "two\n");
  append(join(folder, "current"), "three\n");
  assert.equal(readFileSync(file, "utf8"), "one\ntwo\nthree\n");
});

test("a link to one of the process's own outputs is followed, as containers have them", (context) => {
  const folder = temporaryFolder(context);
  const output = openSync(join(folder, "output"), "a");
  symlinkSync(`/proc/self/fd/${output}`, join(folder, "access.log"));
  append(join(folder, "access.log"), "line\n");
  append(`/proc/self/fd/${output}`, "another\n");
  closeSync(output);
  assert.equal(readFileSync(join(folder, "output"), "utf8"), "line\nanother\n");
});

test("another user's link is not followed, wherever it is on the path", ROOT_ONLY, (context) => {
  const folder = temporaryFolder(context);
  const victim = join(folder, "victim");
  const theirs = join(folder, "theirs.log");
  symlinkSync(victim, theirs);
  lchownSync(theirs, STRANGER, STRANGER);
  symlinkSync("theirs.log", join(folder, "ours.log"));
  for (const name of ["theirs.log", "ours.log"]) {
    const theirLink = /^Error: the symbolic link .*\/theirs\.log is another user's \(uid 65534\): remove it/;
    assert.throws(() => openAppending(join(folder, name)), theirLink);
  }
  assert.ok(!existsSync(victim));
});

test("a cycle of links is an error", (context) => {
  const folder = temporaryFolder(context);
  symlinkSync("b", join(folder, "a"));
  symlinkSync("a", join(folder, "b"));
  assert.throws(() => openAppending(join(folder, "a")), /leads through more than 40 symbolic links/);
});
