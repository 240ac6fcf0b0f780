/** The new arbiter's view of the old one. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { HANDOVER, Predecessor } from "../../../src/arbiter/upgrade/handover.ts";

const FIXTURE = join(import.meta.dirname, "../../fixtures/handover/half-gone.ts");

test("a predecessor is known only from the environment, from which it is removed", () => {
  assert.equal(Predecessor.fromEnvironment({}), undefined);
  const env = {
    [HANDOVER]: JSON.stringify({ pid: process.ppid, listeners: [{ descriptor: 3, url: "unix:a" }] }),
  };
  const predecessor = Predecessor.fromEnvironment(env);
  assert.deepEqual(env, {});
  assert.deepEqual(predecessor?.listeners, [{ descriptor: 3, url: "unix:a" }]);
  assert.equal(predecessor?.isServing, true);
  assert.equal(Predecessor.fromEnvironment({ [HANDOVER]: '{"pid":1234567,"listeners":[]}' })?.isAlive, false);
});

const known = process.platform === "linux" && ["x64", "arm64"].includes(process.arch);

test("a predecessor that is ending does not serve, although it is still the parent", {
  skip: known ? false : "knows the number of the system call on Linux for x64 and arm64",
}, async (t) => {
  const old = spawn(process.execPath, ["--import", "@oxc-node/core/register", FIXTURE], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => old.kill("SIGKILL"));
  const [text] = (await once(old.stdout, "data")) as [Buffer];
  assert.deepEqual(JSON.parse(String(text)), { isAlive: true, isServing: false });
});
