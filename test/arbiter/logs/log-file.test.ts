/** The log file: which processes write to it, and what USR1 does. */
import assert from "node:assert/strict";
import { existsSync, lchownSync, readFileSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ask } from "../../support/ask.ts";
import { FIXTURES, startCommand, temporaryFolder, until } from "../../support/command.ts";

test("arbiter and workers write to the file, and to a new one after USR1", async (context) => {
  const folder = temporaryFolder(context);
  const log = join(folder, "error.log");
  const read = (file = log): string => (existsSync(file) ? readFileSync(file, "utf8") : "");
  const app = join(FIXTURES, "pool/throws.mjs");
  const socket = join(folder, "app.sock");
  const args = [app, "-w", "2", "-b", `unix:${socket}`, "--error-logfile", "error.log"];
  const command = startCommand(context, args, { cwd: folder });
  await until("it serves", () => /Ready: generation 1/.test(read()));
  assert.equal((await ask({ path: socket }, "/one")).status, 500);
  await until("the worker's line is there", () =>
    /Error handling request GET \/one[\s\S]*thrown by the app/.test(read()),
  );
  renameSync(log, `${log}.1`);
  command.kill("SIGUSR1");
  await until("a new file is there", () => existsSync(log));
  await until("every worker writes to it", async () => {
    await ask({ path: socket }, "/two");
    const pids = new Set(read().match(/(?<=\[)\d+(?=\] \[ERROR\])/g));
    return pids.size === 2;
  });
  command.kill("SIGTTIN");
  await until("the arbiter writes to it", () => /Handling signal: ttin/.test(read()));
  assert.doesNotMatch(read(`${log}.1`), /ttin/);
  assert.equal((await command.end()).code, 0);
  assert.match(read(), /Shutting down: Master/);
  assert.equal(command.stderr, "");
});

test("USR1 to a worker makes that worker write to a new file", async (context) => {
  const folder = temporaryFolder(context);
  const log = join(folder, "error.log");
  const socket = join(folder, "app.sock");
  const args = [join(FIXTURES, "pool/throws.mjs"), "-b", `unix:${socket}`, "--error-logfile", log];
  const command = startCommand(context, args, { cwd: folder });
  await until("it serves", () => existsSync(log) && /Ready: generation 1/.test(readFileSync(log, "utf8")));
  const [worker] = command.workers();
  renameSync(log, `${log}.1`);
  process.kill(worker as number, "SIGUSR1");
  await until("the worker writes to a new file", async () => {
    await ask({ path: socket }, "/one");
    return /request GET \/one/.test(readFileSync(log, "utf8"));
  });
  command.kill("SIGTTIN");
  await until("the arbiter does not", () => /Handling signal: ttin/.test(readFileSync(`${log}.1`, "utf8")));
  assert.doesNotMatch(readFileSync(log, "utf8"), /ttin/);
});

test("a log file that cannot be written is refused in one line, exit code 2", async (context) => {
  const folder = temporaryFolder(context);
  const args = [join(FIXTURES, "pool/echo.mjs"), "-b", "127.0.0.1:0", "--log-file", "missing/error.log"];
  const command = startCommand(context, args, { cwd: folder });
  assert.equal((await command.ended()).code, 2);
  assert.match(command.stderr, /^tsgun: error-logfile: cannot write .*missing\/error\.log: ENOENT.*\n$/);
});

const ROOT_ONLY = { skip: process.geteuid?.() !== 0 && "only root can give a link to another user" };

test(
  "another user's symbolic link as log file is refused in one line, exit code 2",
  ROOT_ONLY,
  async (context) => {
    const folder = temporaryFolder(context);
    symlinkSync(join(folder, "victim"), join(folder, "error.log"));
    lchownSync(join(folder, "error.log"), 65_534, 65_534);
    for (const setting of ["error-logfile", "access-logfile"]) {
      for (const check of [[], ["--check-config"]]) {
        const args = [
          join(FIXTURES, "pool/echo.mjs"),
          "-b",
          "127.0.0.1:0",
          `--${setting}`,
          "error.log",
          ...check,
        ];
        const command = startCommand(context, args, { cwd: folder });
        assert.equal((await command.ended()).code, 2);
        assert.match(
          command.stderr,
          new RegExp(`^tsgun: ${setting}: cannot write .*: the symbolic link .* is another user's .*\\n$`),
        );
      }
    }
    assert.ok(!existsSync(join(folder, "victim")));
  },
);
