import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, test } from "node:test";
import { dropPrivileges, type PrivilegedProcess } from "../../src/worker/privileges.ts";

const SOURCE = join(import.meta.dirname, "../../src/worker/privileges.ts");
const needsRoot =
  process.getuid?.() === 0 ? false : "needs root: run the tests as root to see the real thing";

/** Says what was called, in order; `setuid(0)` fails once the user has changed, unless it is told not to. */
function fakeProcess(uid: number, gid: number, wayBack = false): PrivilegedProcess & { calls: string[] } {
  const calls: string[] = [];
  let current = uid;
  return {
    calls,
    getuid: () => current,
    geteuid: () => current,
    getgid: () => gid,
    getegid: () => gid,
    setgid: (id) => void calls.push(`setgid ${id}`),
    setgroups: (ids) => void calls.push(`setgroups ${ids}`),
    initgroups: (user, id) => void calls.push(`initgroups ${user} ${id}`),
    setuid: (id) => {
      if (id === 0 && current !== 0 && !wayBack) throw new Error("EPERM");
      calls.push(`setuid ${id}`);
      current = id;
    },
  };
}

describe("privileges are dropped", () => {
  test("the group changes first, then the supplementary groups, then the user", () => {
    const self = fakeProcess(0, 0);
    dropPrivileges({ uid: 33, gid: 133, groupsOf: "www" }, self);
    assert.deepEqual(self.calls, ["setgid 133", "setgroups 133", "initgroups www 133", "setuid 33"]);
  });

  test("an unchanged identity makes no system call", () => {
    const self = fakeProcess(33, 133);
    dropPrivileges({}, self);
    dropPrivileges({ uid: 33, gid: 133 }, self);
    assert.deepEqual(self.calls, []);
  });

  test("without root the change is refused with advice", () => {
    assert.throws(
      () => dropPrivileges({ uid: 34, gid: 133 }, fakeProcess(33, 133)),
      /^FatalError: only root can change the user or group, but this is user 33: start as root/,
    );
  });

  test("a process that could become root again is refused", () => {
    assert.throws(
      () => dropPrivileges({ uid: 33, gid: 133 }, fakeProcess(0, 0, true)),
      /could become root again/,
    );
  });

  test("a real process drops root", { skip: needsRoot }, () => {
    const script = `
      import { dropPrivileges } from ${JSON.stringify(SOURCE)};
      dropPrivileges({ uid: 12345, gid: 54321 });
      console.log(process.getuid(), process.geteuid(), process.getgid(), process.getegid(), process.getgroups().join());
      try { process.setuid(0); console.log("root again"); } catch (error) { console.log(error.code); }
      try { dropPrivileges({ uid: 1, gid: 1 }); } catch (error) { console.log(error.message); }
    `;
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ["--import", "@oxc-node/core/register", "--input-type=module", "-e", script],
      { encoding: "utf8" },
    );
    const [ids, back, again] = stdout.trim().split("\n");
    assert.equal(ids, "12345 12345 54321 54321 54321", stderr);
    assert.equal(back, "EPERM");
    assert.match(again ?? "", /^only root can change the user or group, but this is user 12345/);
  });
});
