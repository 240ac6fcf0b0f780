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

  test("a process that keeps an id, a group or a capability is refused", () => {
    const identity = { uid: 33, gid: 133 };
    const status = (change: Record<string, string> = {}): string =>
      Object.entries({
        ...{ Uid: "33\t33\t33\t33", Gid: "133\t133\t133\t133", Groups: "133 " },
        ...{ CapInh: "0000000000000000", CapPrm: "0000000000000000", CapEff: "0000000000000000" },
        ...{ CapBnd: "000001ffffffffff", CapAmb: "0000000000000000", ...change },
      })
        .map(([name, value]) => `${name}:\t${value}\n`)
        .join("");
    const drop = (text: string, more = {}): void =>
      dropPrivileges({ ...identity, ...more }, { ...fakeProcess(0, 0), status: () => text });
    drop(status());
    drop(status({ Groups: "4 133 " }), { groupsOf: "www" });
    for (const [change, left] of [
      [{ Uid: "33\t33\t0\t33" }, "0"],
      [{ Gid: "133\t133\t0\t133" }, "0"],
      [{ Groups: "4 133 " }, "4"],
      [{ CapPrm: "00000000000000c0" }, "00000000000000c0"],
      [{ CapAmb: "0000000000000400" }, "0000000000000400"],
    ] as const)
      assert.throws(() => drop(status(change)), {
        message: new RegExp(`still has other ids or capabilities \\(${left}\\): the worker does not start`),
      });
  });

  test("a real process that keeps its capabilities does not start", { skip: needsRoot }, () => {
    const script = `
      import { dropPrivileges } from ${JSON.stringify(SOURCE)};
      try { dropPrivileges({ uid: 12345, gid: 54321 }); console.log("dropped"); } catch (error) { console.log(error.message); }
    `;
    const node = [
      process.execPath,
      "--import",
      "@oxc-node/core/register",
      "--input-type=module",
      "-e",
      script,
    ];
    const { stdout, stderr } = spawnSync("setpriv", ["--securebits", "+no_setuid_fixup", ...node], {
      encoding: "utf8",
    });
    assert.match(
      stdout,
      /^after the change to user 12345 the process (could become root again|still has)/,
      stderr,
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
