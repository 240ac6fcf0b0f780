import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { FatalError } from "../../src/errors.ts";
import { PidFile } from "../../src/system/pid-file.ts";

const OURS = `${process.pid}\n`;

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "tsgun-pid-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

async function live(t: TestContext, title: string): Promise<number> {
  const child = spawn("sh", ["-c", "echo; read line", title], { stdio: ["pipe", "pipe", "ignore"] });
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  return child.pid as number;
}

async function ended(): Promise<number> {
  const child = spawn("true");
  await once(child, "exit");
  return child.pid as number;
}

function saying(pattern: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof FatalError, String(error));
    assert.match(error.message, pattern);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  };
}

test("the file contains the pid, is readable whatever the umask, and leaves no draft", (t) => {
  const path = join(folder(t), "app.pid");
  const umask = process.umask(0o077);
  t.after(() => process.umask(umask));
  const file = PidFile.claim(path);
  assert.equal(readFileSync(path, "utf8"), OURS);
  assert.equal(statSync(path).mode & 0o777, 0o644);
  assert.deepEqual(readdirSync(join(path, "..")), ["app.pid"]);
  file.remove();
  assert.equal(existsSync(path), false);
});

test("a planted link at the draft's path is not followed", (t) => {
  const path = join(folder(t), "app.pid");
  const victim = `${path}.victim`;
  writeFileSync(victim, "precious");
  symlinkSync(victim, `${path}.new.${process.pid}`);
  PidFile.claim(path);
  assert.equal(readFileSync(victim, "utf8"), "precious");
  assert.equal(readFileSync(path, "utf8"), OURS);
  assert.ok(!lstatSync(path).isSymbolicLink());
});

test("a pipe, a folder and a long file are no pid files, and nothing waits for them", (t) => {
  const path = join(folder(t), "app.pid");
  execFileSync("mkfifo", [`${path}.pipe`]);
  mkdirSync(`${path}.folder`);
  writeFileSync(`${path}.long`, "1".repeat(1000));
  for (const kind of ["pipe", "folder", "long"])
    assert.throws(() => PidFile.claim(`${path}.${kind}`), {
      name: "FatalError",
      message: `${path}.${kind} exists but is not a pid file: give --pid another path, or delete it`,
    });
});

test("another user's link is neither followed nor replaced", {
  skip: process.geteuid?.() !== 0 && "only root can give a link to another user",
}, (t) => {
  const path = join(folder(t), "app.pid");
  writeFileSync(`${path}.victim`, "precious");
  symlinkSync(`${path}.victim`, path);
  lchownSync(path, 65_534, 65_534);
  assert.throws(() => PidFile.claim(path), {
    name: "FatalError",
    message: `the symbolic link ${path} is another user's (uid 65534): remove it, or name another file`,
  });
  assert.equal(readFileSync(`${path}.victim`, "utf8"), "precious");
  assert.ok(lstatSync(path).isSymbolicLink());
});

test("the file of a live process is refused and unchanged", async (t) => {
  const path = join(folder(t), "app.pid");
  const pid = await live(t, "tsgun: arbiter [app]");
  writeFileSync(path, `${pid}\n`);
  assert.throws(
    () => PidFile.claim(path),
    saying(new RegExp(`already running: .*app\\.pid names process ${pid}`)),
  );
  assert.equal(readFileSync(path, "utf8"), `${pid}\n`);
  // Its clock may have been set back since: it is called tsgun, so it is taken at its word.
  utimesSync(path, 1000, 1000);
  assert.throws(() => PidFile.claim(path), saying(/already running/));
  assert.deepEqual(readdirSync(join(path, "..")), ["app.pid"]);
});

test("a stale file is taken over: its process has exited", async (t) => {
  const path = join(folder(t), "app.pid");
  writeFileSync(path, `${await ended()}\n`);
  PidFile.claim(path);
  assert.equal(readFileSync(path, "utf8"), OURS);
  assert.deepEqual(readdirSync(join(path, "..")), ["app.pid"]);
});

test("a stale file is taken over: its pid was reused by another program", async (t) => {
  const path = join(folder(t), "app.pid");
  const pid = await live(t, "something else");
  writeFileSync(path, `${pid}\n`);
  assert.throws(() => PidFile.claim(path), saying(/already running/), "written after the process started");
  const hourAgo = Date.now() / 1000 - 3600;
  utimesSync(path, hourAgo, hourAgo);
  PidFile.claim(path);
  assert.equal(readFileSync(path, "utf8"), OURS);
});

test("a stale file is taken over: empty, zero, or our own number (a restarted container)", (t) => {
  const path = join(folder(t), "app.pid");
  for (const text of ["", "\n", "0\n", OURS]) {
    writeFileSync(path, text);
    PidFile.claim(path);
    assert.equal(readFileSync(path, "utf8"), OURS);
  }
});

test("a file that is not a pid file is never overwritten", (t) => {
  const path = join(folder(t), "app.ts");
  writeFileSync(path, "export const handler = 1;\n");
  assert.throws(() => PidFile.claim(path), saying(/is not a pid file: give --pid another path/));
  assert.equal(readFileSync(path, "utf8"), "export const handler = 1;\n");
});

test("of several processes that claim a stale file, one gets it", async (t) => {
  const path = join(folder(t), "app.pid");
  writeFileSync(path, `${await ended()}\n`);
  const script = `
    import { PidFile } from ${JSON.stringify(join(import.meta.dirname, "../../src/system/pid-file.ts"))};
    process.title = "tsgun: arbiter [race]";
    process.stdin.once("data", () => {
      try { PidFile.claim(${JSON.stringify(path)}); console.log("got it"); }
      catch (error) { console.log(error.name + " " + error.message); }
    });
    console.log("set");
  `;
  const args = ["--import", "@oxc-node/core/register", "--input-type=module", "-e", script];
  const racers = Array.from({ length: 4 }, () => {
    const racer = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
    t.after(() => racer.kill("SIGKILL"));
    return racer;
  });
  const said = (racer: (typeof racers)[number]) =>
    once(racer.stdout, "data").then(([data]) => String(data).trim());
  assert.deepEqual(await Promise.all(racers.map(said)), Array(4).fill("set"));
  const answers = racers.map(said);
  for (const racer of racers) racer.stdin.write("go\n");
  const outcomes = await Promise.all(answers);
  assert.equal(outcomes.filter((outcome) => outcome === "got it").length, 1, outcomes.join("\n"));
  assert.equal(readFileSync(path, "utf8"), `${racers[outcomes.indexOf("got it")]?.pid}\n`);
});

test("rename takes the previous server's name, unless its process is alive", async (t) => {
  const path = join(folder(t), "app.pid");
  const file = PidFile.claim(`${path}.2`);
  const pid = await live(t, "tsgun: arbiter [app]");
  writeFileSync(path, `${pid}\n`);
  assert.throws(() => file.rename(path), saying(/already running/));
  assert.equal(file.path, `${path}.2`);
  writeFileSync(path, `${await ended()}\n`);
  file.rename(path);
  assert.equal(file.path, path);
  assert.deepEqual(readdirSync(join(path, "..")), ["app.pid"]);
  assert.equal(readFileSync(path, "utf8"), OURS);
});

test("rename takes the name of a process known to be gone before the system reports its exit", async (t) => {
  const path = join(folder(t), "app.pid");
  const file = PidFile.claim(`${path}.2`);
  const pid = await live(t, "tsgun: arbiter [app]");
  writeFileSync(path, `${pid}\n`);
  assert.throws(() => file.rename(path, pid + 1), saying(/already running/));
  file.rename(path, pid);
  assert.equal(readFileSync(path, "utf8"), OURS);
});

test("remove deletes only a file that still names this process, and never throws", (t) => {
  const path = join(folder(t), "app.pid");
  const file = PidFile.claim(path);
  writeFileSync(path, "1\n");
  file.remove();
  assert.equal(readFileSync(path, "utf8"), "1\n");
  rmSync(path);
  file.remove();
});

test("a missing directory is named", (t) => {
  const path = join(folder(t), "run", "app.pid");
  assert.throws(() => PidFile.claim(path), saying(/needs the directory .*run: create it/));
});
