/** The folder of records: bounded, private, and harmless whatever is in it. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  listRecords,
  MAX_RECORDS,
  RecordFolder,
  readRecord,
  serverKey,
} from "../../src/records/record-folder.ts";
import { defaultRecordFolder, recordFolders } from "../../src/records/record-path.ts";
import { temporaryFolder } from "../support/command.ts";
import { deathOf } from "../support/death.ts";

const START = Date.parse("2026-01-01T00:00:00Z");

function nth(index: number, changes: Parameters<typeof deathOf>[0] = {}): ReturnType<typeof deathOf> {
  return deathOf({
    time: new Date(START + index * 1000).toISOString(),
    worker: { pid: 1000 + index },
    ...changes,
  });
}

const ORDERED = { reason: "reload", isProblem: false } as const;

test("the newest of each kind and server are kept", async (context) => {
  const path = join(temporaryFolder(context), "a", "records");
  const folder = RecordFolder.open(path);
  await folder.write(nth(0));
  await folder.write(nth(1, { server: { name: "blog" } }));
  await folder.write(nth(2, { end: { reason: "boot_failed" } }));
  for (let index = 3; index < MAX_RECORDS + 6; index++) await folder.write(nth(index, { end: ORDERED }));
  const entries = listRecords(path);
  const count = (kind: string): number => entries.filter((entry) => entry.kind === kind).length;
  assert.deepEqual([count("problem"), count("boot"), count("ordered")], [2, 1, MAX_RECORDS]);
  assert.deepEqual(entries[0], {
    path: join(path, "20260101T000055000Z-1055-ordered-shop.json"),
    time: "2026-01-01T00:00:55.000Z",
    pid: 1055,
    kind: "ordered",
    server: "shop",
  });
  assert.equal(entries.filter(({ kind }) => kind === "ordered").at(-1)?.pid, 1006, "the oldest were removed");
  const last = entries.at(-1);
  assert.deepEqual(last && (await readRecord(last)), nth(0));
});

test("after the clock was set back, what is written now is kept in place of records from the future", async (context) => {
  const path = join(temporaryFolder(context), "records");
  const folder = RecordFolder.open(path);
  const inAnHour = (second: number): string => new Date(Date.now() + 3_600_000 + second * 1000).toISOString();
  for (let index = 0; index < MAX_RECORDS; index++) await folder.write(nth(index, { time: inAnHour(index) }));
  for (let index = 0; index < 3; index++) {
    const time = new Date(Date.now() + index).toISOString();
    await folder.write(nth(500 + index, { time }));
  }
  const pids = listRecords(path).map(({ pid }) => pid);
  assert.equal(pids.length, MAX_RECORDS);
  assert.deepEqual(pids.slice(-3), [1502, 1501, 1500]);
});

test("a server's name cannot lead out of the folder", async (context) => {
  const path = join(temporaryFolder(context), "records");
  assert.equal(serverKey("../../etc/x y\n"), ".._.._etc_x_y_");
  await RecordFolder.open(path).write(deathOf({ server: { name: `../../${"n".repeat(500)}` } }));
  assert.equal(readdirSync(path).length, 1);
  assert.equal(listRecords(path).length, 1);
});

test("links, devices, giants and folders in place of a record are no records", async (context) => {
  const path = temporaryFolder(context);
  const name = (pid: number): string => join(path, `20260101T000000000Z-${pid}-problem-shop.json`);
  const real = join(path, "real");
  writeFileSync(real, JSON.stringify(deathOf()));
  symlinkSync(real, name(1));
  writeFileSync(name(2), " ".repeat(600_000));
  mkdirSync(name(3));
  writeFileSync(name(4), "{}");
  assert.equal(listRecords(path).length, 4);
  for (const entry of listRecords(path)) assert.equal(await readRecord(entry), undefined, entry.path);
});

test("a folder that others may change is refused", (context) => {
  const base = temporaryFolder(context);
  const open = join(base, "open");
  mkdirSync(open);
  chmodSync(open, 0o777);
  assert.throws(() => RecordFolder.open(open), /open is writable by others: remove it, or set --record-dir$/);
  symlinkSync(base, join(base, "link"));
  assert.throws(() => RecordFolder.open(join(base, "link")), /link is a symbolic link: /);
  writeFileSync(join(base, "file"), "");
  assert.throws(() => RecordFolder.open(join(base, "file")), /file is not a folder: /);
});

test("what a killed writer left is removed, and a failed write leaves nothing", async (context) => {
  const path = join(temporaryFolder(context), "records");
  const folder = RecordFolder.open(path);
  writeFileSync(join(path, ".draft-999999999-1"), "{");
  writeFileSync(join(path, `.draft-${process.pid}-9`), "{");
  await folder.removeDrafts();
  assert.deepEqual(readdirSync(path), [`.draft-${process.pid}-9`]);
  rmSync(path, { recursive: true });
  await assert.rejects(folder.write(deathOf()), { code: "ENOENT" });
});

test("the default folder is the unit's, the user's, or one in the temporary folder", () => {
  const unit = { STATE_DIRECTORY: "/var/lib/shop:/var/lib/other", XDG_STATE_HOME: "/home/u/.state" };
  assert.equal(defaultRecordFolder(unit), "/var/lib/shop/records");
  assert.equal(defaultRecordFolder({ XDG_STATE_HOME: "/home/u/.state" }), "/home/u/.state/tsgun/records");
  const all = recordFolders({ XDG_STATE_HOME: "/home/u/.state", TMPDIR: "/var/tmp" }, ["shop", "../x"]);
  const uid = process.getuid?.() ?? "user";
  for (const folder of [
    "/home/u/.state/tsgun/records",
    `/var/tmp/tsgun-${uid}/records`,
    "/var/lib/shop/records",
  ])
    assert.ok(all.includes(folder), `${folder} is looked at`);
  assert.ok(!all.some((folder) => folder.includes("x")), "a name is no path");
});
