import assert from "node:assert/strict";
import { chownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ownProcesses } from "../../src/system/own-processes.ts";
import { temporaryFolder } from "../support/command.ts";

interface Shown {
  readonly comm: string;
  readonly cmdline: string;
  readonly environ?: string;
  readonly cwd?: string;
}

test("processes of this user are found by their title; what may not be read is left out", (context) => {
  const root = temporaryFolder(context);
  const add = (pid: number, { comm, cmdline, environ, cwd }: Shown): string => {
    const folder = join(root, "proc", String(pid));
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "comm"), `${comm}\n`);
    writeFileSync(join(folder, "cmdline"), cmdline);
    if (environ !== undefined) writeFileSync(join(folder, "environ"), environ);
    if (cwd !== undefined) symlinkSync(cwd, join(folder, "cwd"));
    return folder;
  };
  const arbiter = { comm: "tsgun: arbiter ", cmdline: "tsgun: arbiter [shop]\0\0\0" };
  add(7, { ...arbiter, environ: "A=b=c\0EMPTY=\0", cwd: "/srv/shop" });
  add(8, arbiter);
  add(9, { comm: "tsgun: worker 1", cmdline: "tsgun: worker 1 [shop]\0" });
  mkdirSync(join(root, "proc", "10"));
  mkdirSync(join(root, "proc", "self"));
  const foreign = add(11, arbiter);
  if (process.geteuid?.() === 0) chownSync(foreign, 65_534, 65_534);
  const found = ownProcesses("tsgun: arbiter ", root).filter(
    ({ pid }) => pid !== 11 || process.geteuid?.() === 0,
  );
  const title = "tsgun: arbiter [shop]";
  assert.deepEqual(found, [
    { pid: 7, title, folder: "/srv/shop", environment: { A: "b=c", EMPTY: "" } },
    { pid: 8, title, folder: undefined, environment: {} },
  ]);
  assert.deepEqual(ownProcesses("tsgun: arbiter ", join(root, "none")), []);
});
