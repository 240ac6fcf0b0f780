/** `tsgun ctl` and the health endpoint against the running command. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ask } from "../support/ask.ts";
import {
  COMMAND,
  FIXTURES,
  isAlive,
  type RunningCommand,
  startCommand,
  temporaryFolder,
  until,
} from "../support/command.ts";

interface Told {
  readonly code: number | null;
  readonly out: string;
  /** Without the line that names the server. */
  readonly err: string;
}

/** The line on standard error that names the server which a command acts on. */
const ACTS_ON = /^(?:re(?:load|open|start)|upgrad|scal|stopp)ing .*\(pid \d+, \/.*\)\n/;

interface Controlled {
  readonly command: RunningCommand;
  readonly folder: string;
  readonly target: { readonly port: number };
  ctl(...args: string[]): Promise<Told>;
  deploy(source: string): void;
}

function run(args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd = FIXTURES): Promise<Told> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [COMMAND, "ctl", ...args], {
      cwd,
      env: { ...process.env, PWD: cwd, ...env },
    });
    let out = "";
    let err = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      err += text;
    });
    child.once("close", (code) => resolve({ code, out, err: err.replace(ACTS_ON, "") }));
  });
}

async function controlled(context: TestContext, ...args: string[]): Promise<Controlled> {
  const folder = temporaryFolder(context);
  const app = join(folder, "app.mjs");
  copyFileSync(join(FIXTURES, "pool/echo.mjs"), app);
  const socket = join(folder, "run", "c.ctl");
  const options = ["app.mjs", "-b", "127.0.0.1:0", "--control-socket", socket, ...args];
  const command = startCommand(context, options, { cwd: folder });
  await command.ready();
  await until("the control socket is there", () => statSync(socket, { throwIfNoEntry: false })?.isSocket());
  return {
    command,
    folder,
    target: { port: await command.port() },
    ctl: (...words) => run([...words, "--control-socket", socket]),
    deploy: (source) => {
      writeFileSync(`${app}.new`, source);
      renameSync(`${app}.new`, app);
    },
  };
}

const HANDLER = "export const handler = (_, respond) => respond(200, null, 'version 2');\n";

test("status and workers show the state as text and as JSON, to the owner alone", async (context) => {
  const { ctl, command, folder } = await controlled(context, "-w", "2");
  assert.equal(statSync(join(folder, "run", "c.ctl")).mode & 0o777, 0o600);
  const status = await ctl("status");
  assert.equal(status.code, 0);
  assert.match(status.out, new RegExp(`pid ${command.pid}\\) is serving`));
  assert.match(status.out, /2 of 2 ready, generation 1/);
  const workers = JSON.parse((await ctl("workers", "--json")).out) as { pid: number; state: string }[];
  assert.deepEqual(workers.map(({ pid }) => pid).sort(), command.workers().sort());
  assert.deepEqual(
    workers.map(({ state }) => state),
    ["ready", "ready"],
  );
});

test("reload waits for its outcome, and a failed one changes nothing", async (context) => {
  const { ctl, command, folder, target, deploy } = await controlled(context, "-w", "2");
  deploy(HANDLER);
  const good = await ctl("reload");
  assert.deepEqual([good.code, good.out], [0, "generation 2 serves with 2 workers\n"]);
  assert.equal((await ask(target)).text, "version 2");
  await until("the old workers are gone", () => command.workers().length === 2);
  const pids = command.workers().sort();
  for (const [source, message] of [
    [
      "throw new Error('from the app');\n",
      /from the app.*generation 2 continues to serve[\s\S]*at .*app\.mjs:1/,
    ],
    ["export default { startup() { throw new Error('cannot start') }, handle() {} };\n", /cannot start/],
    ["export const handler = (;\n", /syntax error/],
  ] as const) {
    deploy(source);
    const bad = await ctl("reload");
    assert.equal(bad.code, 1);
    assert.match(bad.err, message);
  }
  writeFileSync(join(folder, "tsgun.config.json"), "{");
  const bad = await ctl("reload");
  assert.equal(bad.code, 1);
  assert.match(bad.err, /^syntax error in tsgun\.config\.json.*; generation 2 continues to serve\n$/);
  await until("the failed workers are gone", () => command.workers().length === 2);
  assert.deepEqual(command.workers().sort(), pids);
  assert.equal((await ask(target)).text, "version 2");
});

test("with --preload a failed reload shows the app's own stack, and none of the server's", async (context) => {
  const { ctl, deploy } = await controlled(context, "--preload");
  deploy("throw new Error('from the app');\n");
  const { code, err } = await ctl("reload");
  assert.equal(code, 1);
  assert.match(err, /from the app.*generation 1 continues to serve\nError: from the app\n +at .*app\.mjs:1/);
  assert.doesNotMatch(err, /FatalError/);
});

test("a failed reload does not change the number of workers", async (context) => {
  const { ctl, command, folder, deploy } = await controlled(context);
  const wanted = async (): Promise<number> =>
    (JSON.parse((await ctl("status", "--json")).out) as { workers: { target: number } }).workers.target;
  const pids = command.workers();
  writeFileSync(join(folder, "tsgun.config.json"), '{ "workers": 3 }');
  deploy("throw new Error('from the app');\n");
  assert.equal((await ctl("reload")).code, 1);
  assert.equal(await wanted(), 1);
  await until("the failed worker is gone", () => command.workers().length === 1);
  assert.deepEqual(command.workers(), pids);
  assert.deepEqual(command.lines(/times in a row|failed to boot/), []);
  deploy(HANDLER);
  assert.equal((await ctl("reload")).out, "generation 3 serves with 3 workers\n");
  assert.equal(await wanted(), 3);
});

test("with --json an outcome is JSON too, success or failure", async (context) => {
  const { ctl, deploy } = await controlled(context);
  const outcome = async (...words: string[]): Promise<[number | null, Record<string, unknown>]> => {
    const { code, out } = await ctl(...words, "--json");
    return [code, JSON.parse(out)];
  };
  assert.deepEqual(await outcome("reload"), [0, { ok: true, message: "generation 2 serves with 1 worker" }]);
  assert.deepEqual(await outcome("scale", "2"), [0, { ok: true, message: "2 workers ready" }]);
  const [, status] = await outcome("status");
  assert.deepEqual([status.state, status.workers], ["serving", { target: 2, ready: 2 }]);
  deploy("throw new Error('from the app');\n");
  const [code, { ok, error, detail }] = await outcome("reload");
  assert.deepEqual([code, ok], [1, false]);
  assert.match(error as string, /from the app.*generation 2 continues to serve/);
  assert.match(detail as string, /^ +at .*app\.mjs:1/m);
  assert.deepEqual((await outcome("restart", "1"))[1], {
    ok: false,
    error: "no serving worker has the pid 1",
  });
  assert.deepEqual((await outcome("stop", "--quick"))[1], { ok: true, message: "stopping at once" });
});

test("simultaneous reloads all get the outcome of one that began after them", async (context) => {
  const { ctl, command, deploy } = await controlled(context, "-w", "2");
  deploy(HANDLER);
  const told = await Promise.all(Array.from({ length: 6 }, () => ctl("reload")));
  for (const { code, err } of told) assert.equal(code, 0, err);
  await until("exactly two workers are left", () => command.workers().length === 2);
});

test("scale, restart and stop", async (context) => {
  const { ctl, command } = await controlled(context);
  assert.equal((await ctl("scale", "3")).out, "3 workers ready\n");
  assert.equal(command.workers().length, 3);
  const pid = command.workers()[0] as number;
  assert.match((await ctl("restart", String(pid))).out, new RegExp(`worker ${pid} was replaced by \\d+`));
  await until("it is gone", () => !command.workers().includes(pid));
  const unknown = await ctl("restart", "1");
  assert.deepEqual([unknown.code, unknown.err], [1, "no serving worker has the pid 1\n"]);
  assert.equal((await ctl("scale", "0")).code, 0);
  assert.match((await ctl("status")).out, / is down: no worker is ready\n.*0 of 0 ready/s);
  assert.equal((await ctl("scale", "1")).code, 0);
  assert.equal((await ctl("reopen")).code, 0);
  assert.equal((await ctl("stop")).code, 0);
  assert.equal((await command.ended()).code, 0);
  const gone = await ctl("status");
  assert.equal(gone.code, 1);
  assert.match(gone.err, /cannot reach the server/);
});

test("a worker that was ordered to stop does not count as a crash, however it ends", async (context) => {
  const limits = ["--crash-limit", "1/600s", "--graceful-timeout", "1s"];
  const { ctl, command, target } = await controlled(context, "-w", "2", ...limits);
  const busy = (): Promise<unknown> => assert.rejects(ask(target, "/slow?60000"));
  const lost: Promise<unknown>[] = [];
  const inHand = async (): Promise<number> => {
    const workers = JSON.parse((await ctl("workers", "--json")).out) as { connections: number }[];
    return workers.filter(({ connections }) => connections > 0).length;
  };
  await until("both workers are busy, so that neither ends before the graceful timeout", async () => {
    lost.push(busy());
    return (await inHand()) === 2;
  });
  assert.equal((await ctl("scale", "1")).code, 0);
  const [pid = 0] = await until(
    "the other one is gone",
    () => command.workers().length === 1 && command.workers(),
  );
  assert.equal(command.lines(/has not finished within --graceful-timeout/).length, 1);
  assert.equal((await ctl("restart", String(pid))).code, 0);
  if (isAlive(pid)) process.kill(pid, "SIGKILL");
  await Promise.all(lost);
  await until("one is left", () => !command.workers().includes(pid) && command.workers().length === 1);
  const [last = 0] = command.workers();
  process.kill(last, "SIGTERM");
  await until("it is replaced", () => !command.workers().includes(last) && command.workers().length === 1);
  assert.equal((await ctl("scale", "2")).code, 0);
  assert.equal((await ask(target)).status, 200);
  process.kill(command.workers()[0] as number, "SIGKILL");
  assert.equal((await command.ended()).code, 3, "a worker that dies unexpectedly is a crash");
});

test("scale and restart report that the new workers crash; the old ones stay", async (context) => {
  const { ctl, command, target, deploy } = await controlled(context);
  const [pid] = command.workers();
  deploy("throw new Error('from the app');\n");
  const scaled = await ctl("scale", "2");
  assert.deepEqual([scaled.code, scaled.err], [1, "workers crash: the log says why\n"]);
  await command.line(/failed to boot: .*from the app/);
  const restarted = await ctl("restart", String(pid));
  assert.deepEqual([restarted.code, restarted.err], [1, "its replacement crashes: the log says why\n"]);
  assert.match((await ask(target)).text, new RegExp(`^${pid} `));
});

test("upgrade waits until the new server serves, which then has the control socket and the health endpoint", async (context) => {
  const path = join(temporaryFolder(context), "health.sock");
  const { command, ctl, deploy } = await controlled(context, "--admin-bind", `unix:${path}`, "-w", "2");
  const told = await ctl("upgrade");
  const next = command.arbiters()[1] ?? 0;
  assert.deepEqual(told, {
    code: 0,
    out: `the new arbiter (pid ${next}) serves, this one drains\n`,
    err: "",
  });
  const asked = await until("the new server has the control socket", async () => {
    const status = await ctl("status", "--json");
    return status.code === 0 && (JSON.parse(status.out) as { pid: number }).pid === next && status;
  });
  assert.equal(asked.code, 0);
  deploy('throw new Error("no licence");\n');
  const bad = await ctl("upgrade");
  assert.deepEqual([bad.code, bad.out], [1, ""]);
  assert.match(bad.err, /no licence/);
  await until(
    "the health endpoint responds",
    async () => (await ask({ path }, "/health/ready")).status === 200,
  );
});

test("ctl finds the server of its folder; a server runs without a control socket that it cannot create", async (context) => {
  const folder = temporaryFolder(context);
  const env = { XDG_RUNTIME_DIR: folder, RUNTIME_DIRECTORY: "" };
  const app = join(FIXTURES, "pool/echo.mjs");
  assert.match(
    (await run(["status"], env, folder)).err,
    /^tsgun: no (?:running server was|server of this user)/,
  );
  const first = startCommand(context, [app, "-b", "127.0.0.1:0"], { env, cwd: folder });
  await first.ready();
  await until("ctl finds the server", async () => (await run(["status"], env, folder)).code === 0);
  const long = join(folder, "x".repeat(120));
  const second = startCommand(context, [app, "-b", "127.0.0.1:0", "--control-socket", long], { env });
  await second.ready();
  await second.line(/\[INFO\] No control socket: .* is longer than \d+ bytes/);
  assert.equal(second.lines(/control socket/).length, 1);
  const third = startCommand(context, [app, "-b", "127.0.0.1:0", "--no-control-socket"], { env });
  await third.ready();
  assert.equal((await run(["status"], env, folder)).code, 0);
});

test("too large a number of workers is refused in one line", async (context) => {
  const { ctl, command } = await controlled(context);
  for (const many of ["1025", "1000000000", "9".repeat(400)]) {
    const told = await ctl("scale", many);
    assert.equal(told.code, 1, many);
    assert.match(told.err, /^tsgun: send \{"workers": N\}, N a whole number from 0 to 1024\n$/);
  }
  assert.equal((await ctl("status")).code, 0);
  assert.equal(command.workers().length, 1);
});

test("wrong usage is reported in one line, exit code 2", async () => {
  for (const [args, message] of [
    [["frobnicate"], /unknown command 'frobnicate'/],
    [["scale", "many"], /whole number/],
    [["scale"], /missing required argument 'workers'/],
  ] as const) {
    const told = await run(args);
    assert.equal(told.code, 2);
    assert.match(told.err, message);
    assert.equal(told.err.trim().split("\n").length, 1);
  }
});

async function healthPort(command: RunningCommand): Promise<number> {
  const line = await command.line(/Health at: /);
  return Number(/:(\d+)$/.exec(line)?.[1]);
}

test("the health endpoint responds when every worker is blocked, with not ready", async (context) => {
  const app = join(FIXTURES, "pool/blocks.mjs");
  const args = [app, "-b", "127.0.0.1:0", "-w", "2", "--admin-bind", "127.0.0.1:0", "--min-ready", "2"];
  const command = startCommand(context, args);
  const admin = { port: await healthPort(command) };
  await command.ready();
  const target = { port: await command.port() };
  let looks = 0;
  await until("every worker is blocked", () => {
    // One worker may accept several of them before it handles the first.
    if (looks++ % 10 === 0) ask(target, "/block").catch(() => {});
    return command.workers().every((pid) => command.stdout.includes(`blocked ${pid}\n`));
  });
  let answered = false;
  const other = ask(target).then(() => {
    answered = true;
  });
  other.catch(() => {});
  assert.equal((await ask(admin, "/health/live")).status, 200);
  assert.equal(answered, false, "a worker is not blocked");
  const { text } = await until("the workers count as silent", async () => {
    const reply = await ask(admin, "/health/ready");
    return reply.status === 503 && reply;
  });
  assert.match(text, /"reason": "[01] workers? ready, 2 wanted; [12] workers? silent for more than 5s"/);
  assert.equal((await ask(admin, "/health/live")).status, 200);
});

test("ready fails below --min-ready, and while too few workers are responsive", async (context) => {
  const app = join(FIXTURES, "pool/echo.mjs");
  const args = [app, "-b", "127.0.0.1:0", "-w", "2", "--admin-bind", "127.0.0.1:0", "--min-ready", "2"];
  const command = startCommand(context, args);
  const admin = { port: await healthPort(command) };
  await command.ready();
  const becomes = (what: string, wanted: number): Promise<unknown> =>
    until(what, async () => (await ask(admin, "/health/ready")).status === wanted);
  const [stopped = 0] = command.workers();
  process.kill(stopped, "SIGSTOP");
  await becomes("a stopped worker does not count", 503);
  process.kill(stopped, "SIGCONT");
  await becomes("it counts again with its next beat", 200);
  command.kill("SIGTTOU");
  await becomes("one worker is too few", 503);
});

test("a booting server is live, and has neither started nor is it ready; what has started stays so", async (context) => {
  const gate = join(temporaryFolder(context), "gate");
  const app = join(FIXTURES, "pool/gated.mjs");
  const args = [app, "-b", "127.0.0.1:0", "--admin-bind", "127.0.0.1:0"];
  const command = startCommand(context, args, { env: { GATE: gate } });
  const admin = { port: await healthPort(command) };
  const { status, text } = await ask(admin, "/health/ready");
  const booting = { live: true, started: false, ready: false, reason: "booting" };
  assert.deepEqual([status, JSON.parse(text)], [503, booting]);
  assert.equal((await ask(admin, "/health/live")).status, 200);
  assert.equal((await ask(admin, "/health/startup")).status, 503);
  writeFileSync(gate, "");
  await until("it is ready", async () => (await ask(admin, "/health/ready")).status === 200);
  assert.equal((await ask(admin, "/health/startup")).status, 200);
  command.kill("SIGTTOU");
  await until("it is not ready any more", async () => (await ask(admin, "/health/ready")).status === 503);
  assert.equal((await ask(admin, "/health/startup")).status, 200);
});

test("a health address in use is reported in one line, exit code 1", async (context) => {
  const app = join(FIXTURES, "pool/echo.mjs");
  const first = startCommand(context, [app, "-b", "127.0.0.1:0"]);
  await first.ready();
  const taken = `127.0.0.1:${await first.port()}`;
  const second = startCommand(context, [app, "-b", "127.0.0.1:0", "--admin-bind", taken]);
  assert.equal((await second.ended()).code, 1);
  assert.match(second.stderr, new RegExp(`admin-bind: cannot listen at ${taken}: the address is in use`));
});

test("with --drain-delay a stopping server still serves, not ready; a second TERM ends the wait", async (context) => {
  const app = join(FIXTURES, "pool/echo.mjs");
  const args = [app, "-b", "127.0.0.1:0", "--admin-bind", "127.0.0.1:0", "--drain-delay", "600s"];
  const command = startCommand(context, args);
  const admin = { port: await healthPort(command) };
  await command.ready();
  command.kill("SIGTERM");
  await until("it is not ready", async () => (await ask(admin, "/health/ready")).status === 503);
  assert.equal((await ask({ port: await command.port() })).status, 200);
  await command.line(/Draining in 600s/);
  // Two signals in quick succession count as one that was delivered twice.
  await until("the second signal counts", () => {
    command.kill("SIGTERM");
    return command.exit !== undefined || command.workers().length === 0;
  });
  assert.equal((await command.ended()).code, 0);
});

test("a worker that fails the warm-up request is not ready", async (context) => {
  const { ctl, command, target, deploy } = await controlled(context, "--warmup-path", "/warm");
  deploy("export const handler = (_, respond) => respond(503, null, 'cold');\n");
  const told = await ctl("reload");
  assert.equal(told.code, 1);
  assert.match(told.err, /the warm-up request GET \/warm was answered with 503/);
  assert.equal((await ask(target)).status, 200);
  assert.equal(command.exit, undefined);
});

test("the warm-up request is served by node's own server as well", async (context) => {
  const app = join(FIXTURES, "pool/listener.cjs");
  const command = startCommand(context, [app, "-b", "127.0.0.1:0", "--warmup-path", "/"]);
  await command.ready();
  assert.equal((await ask({ port: await command.port() })).status, 200);
});

test("a folder in the temporary directory that others can write to is not used, neither by the server nor by ctl", async (context) => {
  const folder = temporaryFolder(context);
  const own = join(folder, `tsgun-${process.getuid?.()}`);
  mkdirSync(own);
  chmodSync(own, 0o777);
  const env = { TMPDIR: folder, XDG_RUNTIME_DIR: "", RUNTIME_DIRECTORY: "" };
  const app = join(FIXTURES, "pool/echo.mjs");
  const command = startCommand(context, [app, "-b", "127.0.0.1:0"], { env, cwd: folder });
  await command.ready();
  await command.line(/No control socket: .* is writable by others: remove it, or set --control-socket/);
  const asked = startCommand(context, ["ctl", "status"], { env, cwd: folder });
  assert.equal((await asked.ended()).code, 1);
  assert.match(asked.stderr, /^tsgun: .* is writable by others: remove it, or set --control-socket$/m);
  assert.deepEqual(readdirSync(own), []);
});

test("a warm-up request without a response ends with the boot timeout, and leaves no file", async (context) => {
  const folder = temporaryFolder(context);
  writeFileSync(join(folder, "app.mjs"), "export const handler = (_request, _respond) => {};\n");
  const args = ["app.mjs", "-b", "127.0.0.1:0", "--warmup-path", "/warm", "--boot-timeout", "5s"];
  const options = { cwd: folder, env: { TMPDIR: folder, XDG_RUNTIME_DIR: folder } };
  const command = startCommand(context, [...args, "--no-control-socket"], options);
  assert.equal((await command.ended()).code, 3);
  assert.match(
    command.stderr,
    /Reason: a worker was not ready within 5s: the warm-up request GET \/warm has had no answer\n$/,
  );
  assert.deepEqual(readdirSync(folder), ["app.mjs"]);
});
