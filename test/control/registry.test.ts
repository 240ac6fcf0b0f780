import assert from "node:assert/strict";
import { once } from "node:events";
import { lstatSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { registerSocket, unregisterSocket } from "../../src/control/registry.ts";
import { entryName, userFolder } from "../../src/control/socket-path.ts";
import { cleanUp, temporaryFolder } from "../support/command.ts";

/** Beyond the largest pid: a process that is gone. */
const GONE = 4_194_305;

test("the links that killed servers at the same socket have left are removed, others are kept", async (context) => {
  const top = temporaryFolder(context);
  const before = process.env.XDG_RUNTIME_DIR;
  process.env.XDG_RUNTIME_DIR = join(top, "run");
  cleanUp(context, () => {
    process.env.XDG_RUNTIME_DIR = before;
  });
  const folder = userFolder();
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const [own, other] = [join(top, "own"), join(top, "other")];
  for (const path of [own, other]) {
    const server = createServer().listen(path);
    await once(server, "listening");
    cleanUp(context, () => server.close());
  }
  symlinkSync(own, join(folder, entryName(GONE)));
  symlinkSync(own, join(folder, entryName(GONE + 1)));
  // Another server's, whose pid may be one of another container; and the other arbiter of an upgrade.
  symlinkSync(other, join(folder, entryName(GONE + 2)));
  symlinkSync(own, join(folder, entryName(process.ppid)));
  await registerSocket(own);
  const kept = [process.pid, process.ppid, GONE + 2].map(entryName).sort();
  assert.deepEqual(readdirSync(folder).sort(), kept);
  unregisterSocket();
  assert.equal(lstatSync(join(folder, entryName(process.pid)), { throwIfNoEntry: false }), undefined);
});
