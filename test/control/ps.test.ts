/** `tsgun ps`, and the server that `tsgun ctl` chooses: two servers in two folders, and neither of them in a third. */
import assert from "node:assert/strict";
import { chownSync, copyFileSync, lstatSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Controllable } from "../../src/control/api.ts";
import { openControlSocket } from "../../src/control/control-server.ts";
import { controlRoutes } from "../../src/control/routes.ts";
import { FIXTURES, type RunningCommand, startCommand, temporaryFolder, until } from "../support/command.ts";

/** A name that no server of another run has: ps and ctl find the servers of the whole machine. */
const SHOP = `shop-${process.pid}`;

/** A process that ended before the test: its pid leads nowhere. */
const NO_PID = 4_194_305;

interface Told {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Stage {
  readonly runtime: string;
  readonly folder: (name: string) => string;
  start(name: string, ...args: string[]): Promise<RunningCommand>;
  tsgun(name: string, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Told>;
}

/** Folders a, b and c with an app each, and a runtime folder of their own, in which other tests have no control sockets. */
function stage(context: TestContext): Stage {
  const top = temporaryFolder(context);
  const runtime = join(top, "xdg");
  mkdirSync(runtime);
  const env = { XDG_RUNTIME_DIR: runtime, RUNTIME_DIRECTORY: "" };
  for (const name of ["a", "b", "c"]) {
    mkdirSync(join(top, name));
    copyFileSync(join(FIXTURES, "pool/echo.mjs"), join(top, name, "app.mjs"));
  }
  const folder = (name: string): string => join(top, name);
  return {
    runtime,
    folder,
    async start(name, ...args) {
      const options = { cwd: folder(name), env };
      const command = startCommand(context, ["app.mjs", "-b", "127.0.0.1:0", ...args], options);
      await command.ready();
      const entry = join(runtime, "tsgun", `tsgun-${command.pid}.ctl`);
      if (!args.includes("--no-control-socket"))
        await until("it can be found", () => lstatSync(entry, { throwIfNoEntry: false }));
      return command;
    },
    async tsgun(name, args, more = {}) {
      const asked = startCommand(context, args, { cwd: folder(name), env: { ...env, ...more } });
      const { code } = await asked.ended();
      return { code, out: asked.stdout, err: asked.stderr };
    },
  };
}

type Report = Readonly<Record<string, unknown>> & { readonly pid: number };

async function list({ tsgun }: Stage, folder = "c"): Promise<Map<number, Report>> {
  const { out } = await tsgun(folder, ["ps", "--json"]);
  return new Map((JSON.parse(out) as Report[]).map((report) => [report.pid, report]));
}

test("ps lists the servers, wherever their control sockets are, and ctl acts on that of its folder alone", async (context) => {
  const here = stage(context);
  const { start, tsgun, folder, runtime } = here;
  const socket = join(folder("b"), "run", "b.ctl");
  const [a, b] = await Promise.all([
    start("a", "--name", SHOP, "-w", "2"),
    start("b", "--control-socket", "run/b.ctl"),
  ]);
  const shop = `${SHOP} (pid ${a.pid}, ${folder("a")})`;
  const other = `app.mjs (pid ${b.pid}, ${folder("b")})`;

  const servers = await list(here);
  const { startedAt, generationStartedAt, uptime, version, use, ...report } =
    servers.get(a.pid) ?? ({} as Report);
  assert.deepEqual(report, {
    name: SHOP,
    pid: a.pid,
    app: "app.mjs",
    folder: folder("a"),
    startedIn: folder("a"),
    config: null,
    listening: await a.urls(),
    generation: 1,
    workers: { target: 2, ready: 2 },
    state: "serving",
    ready: true,
    reason: "ok",
    controlSocket: join(runtime, "tsgun", `tsgun-${a.pid}.ctl`),
  });
  assert.ok(Math.abs(Date.parse(startedAt as string) - Date.now()) < 60_000);
  assert.equal(servers.get(b.pid)?.controlSocket, socket);
  assert.deepEqual(Object.keys(use as object).sort(), [
    ...["cpu", "inFlight", "lastExit", "loopDelayP99", "loopUtilization", "memoryBytes"],
  ]);

  const table = (await tsgun("c", ["ps"])).out;
  assert.match(
    table,
    /^PID +NAME +STATE +GENERATION +WORKERS +AGE +IN FLIGHT +LOOP +DELAY +CPU +MEMORY +LAST EXIT +APP +FOLDER +ADDRESSES\n/,
  );
  assert.match(
    table,
    new RegExp(
      `^${a.pid} +${SHOP} +serving +1 +2/2 +\\d+s +0 +\\S+ +\\S+ +\\S+ +\\S+ +- +app\\.mjs +${folder("a")} +http`,
      "m",
    ),
  );

  const refused = await tsgun("c", ["ctl", "stop"]);
  assert.equal(refused.code, 1);
  assert.match(
    refused.err,
    new RegExp(`^tsgun: no running server was started in ${folder("c")}; these run: .*\n$`),
  );
  for (const each of [shop, other]) assert.ok(refused.err.includes(each), refused.err);

  const choices: [string, string[], NodeJS.ProcessEnv, number][] = [
    ["a", [], {}, a.pid],
    ["b", [], {}, b.pid],
    ["c", ["--name", SHOP], {}, a.pid],
    ["a", ["--pid", String(b.pid)], {}, b.pid],
    ["a", ["--control-socket", socket], {}, b.pid],
    ["c", [], { TSGUN_CONTROL_SOCKET: socket }, b.pid],
    ["a", ["--name", SHOP], { TSGUN_CONTROL_SOCKET: socket }, a.pid],
    ["c", [], { TSGUN_CMD_ARGS: `--control-socket ${socket}` }, b.pid],
  ];
  const choose = async ([from, options, env, pid]: (typeof choices)[number]): Promise<void> => {
    const { out, err } = await tsgun(from, ["ctl", "status", "--json", ...options], env);
    assert.equal((JSON.parse(out || "{}") as Report).pid, pid, `${from} ${options}: ${err}`);
  };
  await Promise.all(choices.map(choose));
  writeFileSync(join(folder("c"), "tsgun.config.json"), JSON.stringify({ controlSocket: socket }));
  const byFile = await tsgun("c", ["ctl", "reopen"]);
  assert.deepEqual([byFile.code, byFile.err], [0, `reopening the logs of ${other}\n`]);

  const wrong = await tsgun("a", ["ctl", "reload", "--name", "nobody"]);
  assert.match(wrong.err, /^tsgun: no running server has the name nobody; these run: /);

  const stopped = await tsgun("a", ["ctl", "stop"]);
  assert.deepEqual(stopped, {
    code: 0,
    out: "stopping: waiting for requests in flight\n",
    err: `stopping ${shop}\n`,
  });
  await a.ended();
  assert.equal((await b.end()).code, 0);
  for (const { pid } of [a, b])
    assert.equal(lstatSync(join(runtime, "tsgun", `tsgun-${pid}.ctl`), { throwIfNoEntry: false }), undefined);
});

test("a server is found by its configuration file; of two in one folder none is chosen", async (context) => {
  const { start, tsgun, folder } = stage(context);
  for (const name of ["one", "two"])
    writeFileSync(join(folder("a"), `${name}.json`), JSON.stringify({ name }));
  const [one, two] = await Promise.all([
    start("a", "-c", "one.json"),
    start("a", "-c", "two.json", "--chdir", "../b"),
  ]);
  const both = await tsgun("a", ["ctl", "stop"]);
  assert.equal(both.code, 2);
  assert.match(
    both.err,
    /^tsgun: more than one server was started in .*: (?:one|two) \(.*\), (?:one|two) \(.*\); choose one/,
  );
  const chosen = await tsgun("c", ["ctl", "reopen", "-c", join(folder("a"), "one.json")], {
    TSGUN_CONTROL_SOCKET: "elsewhere",
  });
  assert.equal(chosen.err, `reopening the logs of one (pid ${one.pid}, ${folder("a")})\n`);
  const working = await tsgun("b", ["ctl", "reopen"]);
  assert.equal(working.err, `reopening the logs of two (pid ${two.pid}, ${folder("b")})\n`);
});

test("during an upgrade ctl acts on the arbiter that has the control socket", async (context) => {
  const { start, tsgun, folder } = stage(context);
  copyFileSync(join(FIXTURES, "pool/gated.mjs"), join(folder("a"), "app.mjs"));
  const gate = join(folder("a"), "gate");
  writeFileSync(gate, "");
  const server = await start("a", "--env", `GATE=${gate}`);
  rmSync(gate);
  server.kill("SIGUSR2");
  await server.line(/Upgrading: new arbiter with pid/);
  const next = server.arbiters()[1] as number;
  await until("the new arbiter boots", () => server.workers(next).length > 0);
  const pid = async (): Promise<number> =>
    JSON.parse((await tsgun("a", ["ctl", "status", "--json"])).out).pid;
  assert.equal(await pid(), server.pid);
  writeFileSync(gate, "");
  await until("the new arbiter has the control socket", async () => (await pid()) === next);
});

test("a server without a control socket, one that is stopped and one of another folder are listed as such", {
  skip: process.platform === "linux" ? false : "processes are found in /proc",
}, async (context) => {
  const here = stage(context);
  const [mute, stopped] = await Promise.all([here.start("a", "--no-control-socket"), here.start("b")]);
  stopped.kill("SIGSTOP");
  context.after(() => stopped.kill("SIGCONT"));
  const servers = await list(here);
  const common = { name: "app.mjs", state: "silent" };
  const path = join(here.runtime, "tsgun", `tsgun-${stopped.pid}.ctl`);
  assert.deepEqual(
    [servers.get(mute.pid), servers.get(stopped.pid)],
    [
      { pid: mute.pid, ...common, folder: here.folder("a"), controlSocket: null },
      { pid: stopped.pid, ...common, folder: here.folder("b"), controlSocket: path },
    ],
  );
  const refused = await here.tsgun("a", ["ctl", "stop"]);
  assert.equal(refused.code, 1);
  assert.match(refused.err, /^tsgun: app\.mjs \(pid \d+, .*\) has no control socket that can be found/);
  // Another environment than the server's: the process leads to its socket.
  const elsewhere = await here.tsgun("a", ["ps", "--json"], { XDG_RUNTIME_DIR: "" });
  const found = (JSON.parse(elsewhere.out) as Report[]).find(({ pid }) => pid === stopped.pid);
  assert.equal(found?.controlSocket, path);
});

test("entries and sockets of other users, and stale ones, are not trusted", {
  skip: process.geteuid?.() === 0 ? false : "only root can make files of another user",
}, async (context) => {
  const here = stage(context);
  const { runtime, folder } = here;
  const entries = join(runtime, "tsgun");
  mkdirSync(entries);
  const report = { pid: NO_PID, name: "evil", folder: folder("a"), workers: {}, listening: [] };
  const open = async (path: string): Promise<void> => {
    const target = { status: () => report } as unknown as Controllable;
    const server = await openControlSocket(path, controlRoutes(target));
    context.after(() => server.close());
  };
  await open(join(entries, "tsgun-1.ctl"));
  assert.equal((await list(here)).get(NO_PID)?.name, "evil", "of this user it is a server");
  const foreign = 65_534;
  chownSync(join(entries, "tsgun-1.ctl"), foreign, foreign);
  await open(join(folder("c"), "x.ctl"));
  chownSync(join(folder("c"), "x.ctl"), foreign, foreign);
  symlinkSync(join(folder("c"), "x.ctl"), join(entries, "tsgun-2.ctl"));
  writeFileSync(join(entries, "tsgun-3.ctl"), "");
  symlinkSync(join(folder("c"), "none"), join(entries, `tsgun-${NO_PID}.ctl`));
  assert.equal((await list(here)).get(NO_PID), undefined);
  assert.equal(lstatSync(join(entries, `tsgun-${NO_PID}.ctl`), { throwIfNoEntry: false }), undefined);
});
