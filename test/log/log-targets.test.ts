/** Whose the access log's file is: the workers' own, under the umask. */
import assert from "node:assert/strict";
import { renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeConfig } from "../../src/config/config.ts";
import { prepareAccessLog } from "../../src/log/log-targets.ts";
import { withUmask } from "../../src/system/identity.ts";
import { temporaryFolder } from "../support/command.ts";

const NOBODY = { uid: 65534, gid: 65534 };

test("the file is made for the workers, under the umask, and again after a rotation", (context) => {
  if (process.geteuid?.() !== 0) return context.skip("only root can give files away");
  const folder = temporaryFolder(context);
  const file = join(folder, "access.log");
  const config = makeConfig([{ values: { accessLogfile: "access.log" }, origin: (name) => name }]);
  for (const rotation of [1, 2]) {
    withUmask(0o027, () => prepareAccessLog(config, folder, NOBODY));
    const { uid, gid, mode } = statSync(file);
    assert.deepEqual([uid, gid, mode & 0o777], [NOBODY.uid, NOBODY.gid, 0o640]);
    renameSync(file, `${file}.${rotation}`);
  }
});

test("what is no file is not given away", (context) => {
  const folder = temporaryFolder(context);
  const before = statSync("/dev/null");
  const config = makeConfig([{ values: { accessLogfile: "/dev/null" }, origin: (name) => name }]);
  prepareAccessLog(config, folder, NOBODY);
  assert.equal(statSync("/dev/null").uid, before.uid);
});
