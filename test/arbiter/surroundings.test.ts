/** The process and the system through the built command: process titles, pid file, umask, users and groups, owners of files. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ask } from "../support/ask.ts";
import { type RunningCommand, startCommand, temporaryFolder, until } from "../support/command.ts";

const ECHO = "pool/echo.mjs:handler";
const CHECKOUT = join(import.meta.dirname, "..", "..");
const needsProc = process.platform === "linux" ? false : "looks into /proc";

/** Ids without an account on this machine. */
const UID = 12345;
const GID = 54321;

/** Shows the checkout where everybody may read it, wherever it lies, and becomes the command, through `words`. */
function readable(...words: string[]): string[] {
  const command = `exec ${words.join(" ")} "$node" /mnt/dist/cli/main.js "$@"`;
  const script = `mount --bind "$0" /mnt; node=$1; shift 2; cd /mnt/test/fixtures; ${command}`;
  return ["unshare", "--mount", "sh", "-ec", script, CHECKOUT];
}

function needsRoot(): string | false {
  if (process.getuid?.() !== 0) return "needs root: run the tests as root to see the real thing";
  const { status } = spawnSync("unshare", ["--mount", "true"]);
  return status === 0 ? false : "this machine does not allow new namespaces";
}

async function serve(context: TestContext, ...args: string[]): Promise<RunningCommand> {
  const command = startCommand(context, [...args, "-b", "127.0.0.1:0"]);
  await command.ready();
  return command;
}

/** A field of /proc/PID/status, its words. */
function statusOf(pid: number, field: string): string[] {
  const line = new RegExp(`^${field}:\\s*(.*)$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return (line?.[1] ?? "").trim().split(/\s+/);
}

function titleOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
}

test("process titles name the role and the app", { skip: needsProc }, async (context) => {
  const command = await serve(context, ECHO, "-w", "2");
  assert.equal(titleOf(command.pid), `tsgun: arbiter [${ECHO}]`);
  const workers = command.workers().map(titleOf).sort();
  assert.deepEqual(workers, [`tsgun: worker 1 [${ECHO}]`, `tsgun: worker 2 [${ECHO}]`]);
});

test("process titles show the app that a reload changed to", { skip: needsProc }, async (context) => {
  const folder = temporaryFolder(context);
  const config = join(folder, "tsgun.config.json");
  for (const name of ["first.mjs", "second.mjs"])
    writeFileSync(join(folder, name), "export default (_request, respond) => respond(204);");
  writeFileSync(config, '{ "app": "first.mjs", "bind": "127.0.0.1:0" }');
  const command = startCommand(context, [], { cwd: folder });
  await command.ready();
  assert.equal(titleOf(command.pid), "tsgun: arbiter [first.mjs]");
  writeFileSync(config, '{ "app": "second.mjs", "bind": "127.0.0.1:0" }');
  command.kill("SIGHUP");
  // The log tells a moment before the title does.
  await until("the title has changed", () => titleOf(command.pid) === "tsgun: arbiter [second.mjs]");
  await until("the first one's worker is gone", () => command.workers().length === 1);
  assert.deepEqual(command.workers().map(titleOf), ["tsgun: worker 1 [second.mjs]"]);
});

test("process titles show --name", { skip: needsProc }, async (context) => {
  const command = await serve(context, ECHO, "--name", "shop");
  assert.equal(titleOf(command.pid), "tsgun: arbiter [shop]");
  assert.deepEqual(command.workers().map(titleOf), ["tsgun: worker 1 [shop]"]);
});

test("--env reaches the workers, and the variables of systemd do not", {
  skip: needsProc,
}, async (context) => {
  const folder = temporaryFolder(context);
  writeFileSync(
    join(folder, "app.mjs"),
    "const { A, B, NOTIFY_SOCKET } = process.env;\n" +
      "export const handler = (_, respond) => respond(200, {}, JSON.stringify({ A, B, NOTIFY_SOCKET }));\n",
  );
  const args = ["app.mjs:handler", "--chdir", folder, "-b", "127.0.0.1:0"];
  const command = startCommand(context, [...args, "--env", "A=1=2,3", "-e", "B="], {
    env: { A: "0", NOTIFY_SOCKET: join(folder, "notify") },
  });
  await command.ready();
  const { text } = await ask({ port: await command.port() });
  assert.deepEqual(JSON.parse(text), { A: "1=2,3", B: "" });
});

test("the pid file exists while the server runs, and is never taken from a running server", async (context) => {
  const folder = temporaryFolder(context);
  const file = join(folder, "app.pid");
  const command = await serve(context, ECHO, "--pid", file);
  assert.equal(readFileSync(file, "utf8"), `${command.pid}\n`);
  const second = startCommand(context, [ECHO, "-b", "127.0.0.1:0", "--pid", file]);
  assert.equal((await second.ended()).code, 1);
  assert.match(second.stderr, new RegExp(`^tsgun: already running: ${file} names process ${command.pid}, `));
  assert.equal(readFileSync(file, "utf8"), `${command.pid}\n`);
  await command.end();
  assert.ok(!existsSync(file));
});

test("the pid file of a killed server is taken over", async (context) => {
  const file = join(temporaryFolder(context), "app.pid");
  const first = await serve(context, ECHO, "--pid", file);
  await first.end("SIGKILL");
  assert.ok(existsSync(file));
  const second = await serve(context, ECHO, "--pid", file);
  assert.equal(readFileSync(file, "utf8"), `${second.pid}\n`);
});

test("a server that cannot bind leaves no pid file", async (context) => {
  const file = join(temporaryFolder(context), "app.pid");
  const first = await serve(context, ECHO);
  const args = [ECHO, "-b", `127.0.0.1:${await first.port()}`, "--pid", file];
  const second = startCommand(context, args);
  assert.equal((await second.ended()).code, 1);
  assert.ok(!existsSync(file));
});

test("--umask applies to the arbiter and the workers", { skip: needsProc }, async (context) => {
  const folder = temporaryFolder(context);
  const path = join(folder, "app.sock");
  const command = startCommand(context, [ECHO, "-b", `unix:${path}`, "--umask", "027"]);
  await command.ready();
  assert.equal(statSync(path).mode & 0o777, 0o750);
  for (const pid of [command.pid, ...command.workers()]) assert.deepEqual(statusOf(pid, "Umask"), ["0027"]);
});

test("--socket-mode sets the mode of the socket regardless of the umask", async (context) => {
  const path = join(temporaryFolder(context), "app.sock");
  const args = ["-b", `unix:${path}`, "--umask", "077", "--socket-mode", "666"];
  const command = startCommand(context, [ECHO, ...args]);
  await command.ready();
  assert.equal(statSync(path).mode & 0o777, 0o666);
  assert.equal((await ask({ path })).status, 200);
});

test("--user and --group apply to the workers for good, and own the socket", {
  skip: needsRoot(),
}, async (context) => {
  const folder = temporaryFolder(context);
  const path = join(folder, "app.sock");
  const file = join(folder, "app.pid");
  const args = [ECHO, "-b", `unix:${path}`, "--pid", file, "--user", `${UID}`, "--group", `${GID}`];
  const command = startCommand(context, args, { prefix: readable() });
  await command.ready();
  const [worker = 0] = command.workers();
  assert.deepEqual(statusOf(worker, "Uid"), Array(4).fill(`${UID}`));
  assert.deepEqual(statusOf(worker, "Gid"), Array(4).fill(`${GID}`));
  assert.deepEqual(statusOf(worker, "Groups"), [`${GID}`]);
  assert.deepEqual(statusOf(worker, "CapEff"), ["0000000000000000"]);
  assert.deepEqual(statusOf(command.pid, "Uid"), Array(4).fill("0"));
  assert.deepEqual([statSync(path).uid, statSync(path).gid, statSync(file).uid], [UID, GID, 0]);
  assert.match((await ask({ path })).text, new RegExp(`^${worker} `));
  command.kill("SIGHUP");
  await command.ready(2);
  assert.deepEqual(statusOf(command.workers().at(-1) ?? 0, "Uid"), Array(4).fill(`${UID}`));
  assert.deepEqual(await command.end(), { code: 0, signal: null });
  assert.ok(!existsSync(path) && !existsSync(file));
});

test("with --user workers can write the log file, also after it was rotated", {
  skip: needsRoot(),
}, async (context) => {
  const folder = temporaryFolder(context);
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, "app.mjs"), "export const handler = (request) => { throw request.path; };\n");
  const [path, log] = [join(folder, "app.sock"), join(folder, "app.log")];
  const args = ["app.mjs:handler", "--chdir", folder, "-b", `unix:${path}`, "--error-logfile", "app.log"];
  const command = startCommand(context, [...args, "--user", `${UID}`, "--group", `${GID}`], {
    prefix: readable(),
  });
  const logged = (text: string): Promise<boolean> =>
    until(`the log says ${text}`, () => readFileSync(log, "utf8").includes(text));
  await logged("Ready: generation 1");
  assert.equal((await ask({ path }, "/first")).status, 500);
  await logged("Error handling request GET /first");
  renameSync(log, `${log}.1`);
  command.kill("SIGUSR1");
  await until("the worker writes to the new file", async () => {
    await ask({ path }, "/second");
    return readFileSync(log, "utf8").includes("Error handling request GET /second");
  });
  assert.deepEqual([statSync(log).uid, statSync(log).gid], [UID, GID]);
});

test("--initgroups adds the groups of the user; --socket-owner and --socket-mode apply", {
  skip: needsRoot(),
}, async (context) => {
  const path = join(temporaryFolder(context), "app.sock");
  const owner = ["--socket-owner", `${UID}:${GID}`, "--socket-mode", "660"];
  const args = [ECHO, "-b", `unix:${path}`, "--user", "bin", "--initgroups", ...owner];
  const command = startCommand(context, args, { prefix: readable() });
  await command.ready();
  const [worker = 0] = command.workers();
  const groups = spawnSync("id", ["-G", "bin"], { encoding: "utf8" }).stdout.trim().split(" ");
  assert.deepEqual(statusOf(worker, "Groups").sort(), groups.sort());
  const { uid, gid, mode } = statSync(path);
  assert.deepEqual([uid, gid, mode & 0o777], [UID, GID, 0o660]);
});

/** Folders and files that only root may use, below a folder that everybody may. */
const CLOSED = [
  { what: "its folder", app: "release/app.mjs", closed: "release", mode: 0o700, said: "enter the folder" },
  {
    what: "a folder above",
    app: "site/release/app.mjs",
    closed: "site",
    mode: 0o700,
    said: "enter the folder",
  },
  { what: "the file", app: "release/app.mjs", closed: "release/app.mjs", mode: 0o600, said: "read the file" },
  {
    what: "what it imports",
    app: "release/app.mjs",
    closed: "release/lib",
    mode: 0o700,
    said: "enter the folder",
  },
  {
    what: "where a link leads",
    app: "current/app.mjs",
    closed: "site",
    mode: 0o700,
    said: "enter the folder",
  },
];

for (const { what, app, closed, mode, said } of CLOSED) {
  test(`a user that may not read ${what} gets its name in one line`, {
    skip: needsRoot(),
  }, async (context) => {
    const folder = temporaryFolder(context);
    chmodSync(folder, 0o755);
    const release = closed === "site" ? "site/release" : "release";
    mkdirSync(join(folder, release, "lib"), { recursive: true });
    symlinkSync(release, join(folder, "current"));
    writeFileSync(join(folder, release, "lib", "answer.mjs"), 'export const answer = "served";\n');
    const source =
      'import { answer } from "./lib/answer.mjs";\nexport default (_, respond) => respond(200, {}, answer);\n';
    writeFileSync(join(folder, release, "app.mjs"), source);
    chmodSync(join(folder, closed), mode);
    for (const preload of [[], ["--preload"]]) {
      const args = [
        join(folder, app),
        "-b",
        "127.0.0.1:0",
        "--user",
        `${UID}`,
        "--group",
        `${GID}`,
        ...preload,
      ];
      const command = startCommand(context, args, { prefix: readable() });
      assert.equal((await command.ended()).code, 4);
      const reason = `user ${UID} may not ${said} ${join(folder, closed)} (mode 0${mode.toString(8)})`;
      assert.ok(command.stderr.trimEnd().split("\n").at(-1)?.includes(reason), command.stderr);
      assert.doesNotMatch(command.stderr, /^ +at |Exception/m);
    }
  });
}

test("without root --user of another account is refused", { skip: needsRoot() }, async (context) => {
  const prefix = readable("setpriv", `--reuid=${UID}`, `--regid=${GID}`, "--clear-groups");
  const command = startCommand(context, [ECHO, "-b", "127.0.0.1:0", "--user", "bin"], { prefix });
  assert.equal((await command.ended()).code, 2);
  assert.match(command.stderr, /^tsgun: only root can change the user or group, but this is user 12345: /);
});
