import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { FatalError } from "../../src/errors.ts";
import { ownSocket, requirePrivileges, resolveIdentity, withUmask } from "../../src/system/identity.ts";

const needsRoot =
  process.getuid?.() === 0 ? false : "needs root: run the tests as root to see the real thing";

function accounts() {
  const folder = mkdtempSync(join(tmpdir(), "tsgun-accounts-"));
  const files = { passwd: join(folder, "passwd"), group: join(folder, "group") };
  writeFileSync(files.passwd, "root:x:0:0::/:/bin/sh\nwww:x:33:133::/:/bin/sh\n7up:x:70:71::/:/bin/sh\n");
  writeFileSync(files.group, "root:x:0:\nweb:x:99:www\n");
  return { files, remove: () => rmSync(folder, { recursive: true }) };
}

describe("names become numbers", () => {
  const { files, remove } = accounts();
  test.after(remove);

  test("a user without a group gets its primary group", () => {
    assert.deepEqual(resolveIdentity({ user: "www" }, files), { uid: 33, gid: 133 });
    assert.deepEqual(resolveIdentity({ user: "7up" }, files), { uid: 70, gid: 71 });
    assert.deepEqual(resolveIdentity({ user: "33" }, files), { uid: 33, gid: 133 });
  });

  test("a user and a group", () => {
    assert.deepEqual(resolveIdentity({ user: "www", group: "web" }, files), { uid: 33, gid: 99 });
    assert.deepEqual(resolveIdentity({ user: 4242, group: 4343 }, files), { uid: 4242, gid: 4343 });
    assert.deepEqual(resolveIdentity({ group: "web" }, files), { gid: 99 });
    assert.deepEqual(resolveIdentity({}, files), {});
  });

  test("initgroups gets the user's name, also for a number", () => {
    assert.equal(resolveIdentity({ user: 33, initgroups: true }, files).groupsOf, "www");
  });

  test("accounts that only system commands know are found", () => {
    assert.deepEqual(resolveIdentity({ user: "root" }, { passwd: "/nonexistent", group: "/nonexistent" }), {
      uid: 0,
      gid: 0,
    });
  });

  test("an unknown name is an error that names the option", () => {
    for (const [options, pattern] of [
      [{ user: "nobody-here-by-that-name" }, /no user "nobody-here-by-that-name".*--user/],
      [{ group: "no-such-group" }, /no group "no-such-group".*--group/],
      [{ user: "--help" }, /no user "--help"/],
      [{ user: 987654 }, /user 987654 has no account.*--group/],
    ] as const) {
      assert.throws(
        () => resolveIdentity(options, files),
        (error: FatalError) => error instanceof FatalError && pattern.test(error.message),
      );
    }
  });
});

test("only root can start workers as another user", () => {
  const self = { getuid: () => 33, geteuid: () => 33, getgid: () => 133, getegid: () => 133 };
  requirePrivileges({}, self);
  requirePrivileges({ uid: 33, gid: 133 }, self);
  requirePrivileges({ uid: 34, gid: 133 }, { ...self, geteuid: () => 0 });
  for (const identity of [{ uid: 34, gid: 133 }, { gid: 134 }]) {
    assert.throws(
      () => requirePrivileges(identity, self),
      /^FatalError: only root can change the user or group, but this is user 33: start as root/,
    );
  }
});

describe("the socket's file", () => {
  test("mode and owner", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "tsgun-socket-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "app.sock");
    const server = createServer();
    await new Promise<void>((resolve) => withUmask(0o177, () => server.listen(path, resolve)));
    t.after(() => server.close());
    assert.equal(statSync(path).mode & 0o777, 0o600);
    ownSocket(path, { mode: 0o660 });
    assert.equal(statSync(path).mode & 0o777, 0o660);
    if (needsRoot === false) {
      ownSocket(path, { uid: 12345, gid: 54321, mode: 0o666 });
      const { uid, gid, mode } = statSync(path);
      assert.deepEqual([uid, gid, mode & 0o777], [12345, 54321, 0o666]);
      ownSocket(path, { gid: 6 });
      assert.deepEqual([statSync(path).uid, statSync(path).gid], [12345, 6]);
    }
  });

  test("a failure names the socket", () => {
    assert.throws(
      () => ownSocket("/nonexistent/app.sock", { mode: 0o600 }),
      /socket \/nonexistent\/app\.sock \(ENOENT\)/,
    );
  });

  test("the umask is restored, also after a throw", () => {
    const before = process.umask();
    assert.throws(() =>
      withUmask(0o777, () => {
        throw new Error("made nothing");
      }),
    );
    assert.equal(process.umask(), before);
  });
});
