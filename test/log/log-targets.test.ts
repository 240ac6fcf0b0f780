/** Log files: created for the workers, under the umask. */
import assert from "node:assert/strict";
import { renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeConfig } from "../../src/config/config.ts";
import { createLogFiles, logTargets } from "../../src/log/log-targets.ts";
import { chownFile, withUmask } from "../../src/system/identity.ts";
import { temporaryFolder } from "../support/command.ts";

const NOBODY = { uid: 65534, gid: 65534 };

function createAccessLog(accessLogfile: string, folder: string): void {
  const config = makeConfig([{ values: { accessLogfile }, origin: (name) => name }]);
  createLogFiles(logTargets(config, folder), (fd, path) => chownFile(fd, path, NOBODY));
}

test("log files are created for the workers' user, under the umask, also after a rotation", (context) => {
  if (process.geteuid?.() !== 0) return context.skip("only root can change a file's owner");
  const folder = temporaryFolder(context);
  const file = join(folder, "access.log");
  for (const rotation of [1, 2]) {
    withUmask(0o027, () => createAccessLog("access.log", folder));
    const { uid, gid, mode } = statSync(file);
    assert.deepEqual([uid, gid, mode & 0o777], [NOBODY.uid, NOBODY.gid, 0o640]);
    renameSync(file, `${file}.${rotation}`);
  }
});

test("a device keeps its owner", (context) => {
  const folder = temporaryFolder(context);
  const before = statSync("/dev/null");
  createAccessLog("/dev/null", folder);
  assert.equal(statSync("/dev/null").uid, before.uid);
});
