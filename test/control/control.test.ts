/** The control interface over its real socket, with a made-up server behind it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Controllable, Outcome } from "../../src/control/api.ts";
import { askControl } from "../../src/control/control-client.ts";
import { openControlSocket, openHealthServer } from "../../src/control/control-server.ts";
import { MOST_CONNECTIONS } from "../../src/control/json-server.ts";
import { draftName } from "../../src/control/socket-name.ts";
import {
  controlFolder,
  defaultControlSocket,
  listControlSockets,
  liveControlSockets,
} from "../../src/control/socket-path.ts";
import { ask } from "../support/ask.ts";
import { until } from "../support/command.ts";

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "tsgun-control-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Records what it is asked to do. */
function recorder(outcome: Outcome = { ok: true, message: "done" }): Controllable & { calls: string[] } {
  const calls: string[] = [];
  const record = async (call: string): Promise<Outcome> => {
    calls.push(call);
    return outcome;
  };
  return {
    calls,
    status: () => ({
      name: "app",
      version: "0",
      pid: 1,
      app: "app:handler",
      listening: [],
      uptime: 5,
      generation: 2,
      workers: { target: 4, ready: 3 },
      state: "serving",
    }),
    workers: () => [],
    health: () => ({ live: true, ready: false, reason: "booting" }),
    reload: () => record("reload"),
    upgrade: () => record("upgrade"),
    scale: (workers) => record(`scale ${workers}`),
    restart: (pid) => record(`restart ${pid}`),
    reopen: () => record("reopen"),
    stop: (mode) => record(`stop ${mode}`),
  };
}

async function open(t: TestContext, target: Controllable): Promise<string> {
  const path = join(folder(t), "run", "tsgun.ctl");
  const server = await openControlSocket(path, target);
  t.after(() => server.close());
  return path;
}

test("the socket and its folder belong to their owner alone", async (t) => {
  const mask = process.umask(0);
  t.after(() => process.umask(mask));
  const path = await open(t, recorder());
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(join(path, "..")).mode & 0o777, 0o700);
  assert.equal(process.umask(), 0);
});

test("every command reaches the server, with what it was given", async (t) => {
  const target = recorder();
  const path = await open(t, target);
  const asked: [string, unknown?][] = [
    ["/reload"],
    ["/upgrade"],
    ["/reopen"],
    ["/scale", { workers: 3 }],
    ["/workers/123/restart"],
    ["/stop"],
    ["/stop", { mode: "quick" }],
  ];
  for (const [route, body] of asked) assert.equal((await askControl(path, "POST", route, body)).status, 200);
  assert.deepEqual(target.calls, [
    "reload",
    "upgrade",
    "reopen",
    "scale 3",
    "restart 123",
    "stop graceful",
    "stop quick",
  ]);
  const status = await askControl(path, "GET", "/status");
  assert.equal((status.body as { generation: number }).generation, 2);
  assert.deepEqual((await askControl(path, "GET", "/workers")).body, []);
});

test("what did not come about is 409 with the app's own error", async (t) => {
  const path = await open(t, recorder({ ok: false, error: "the app throws", detail: "at app.ts:3" }));
  const reply = await askControl(path, "POST", "/reload");
  assert.equal(reply.status, 409);
  assert.deepEqual(reply.body, { ok: false, error: "the app throws", detail: "at app.ts:3" });
});

test("bad requests are told what is wrong", async (t) => {
  const target = recorder();
  const path = await open(t, target);
  const cases: ["GET" | "POST", string, unknown, number, RegExp][] = [
    ["GET", "/nothing", undefined, 404, /nothing at \/nothing/],
    ["GET", "/reload", undefined, 405, /takes POST/],
    ["POST", "/scale", { workers: -1 }, 400, /whole number/],
    ["POST", "/scale", undefined, 400, /whole number/],
    ["POST", "/scale", { workers: 1025 }, 400, /whole number from 0 to 1024/],
    ["POST", "/scale", { workers: 1e300 }, 400, /whole number from 0 to 1024/],
    ["POST", "/scale", [3], 400, /is not a JSON object/],
    ["POST", "/stop", "quick", 400, /is not a JSON object/],
    ["POST", "/workers/abc/restart", undefined, 400, /abc is no process id/],
    ["POST", "/stop", { mode: "slowly" }, 400, /graceful/],
    ["POST", "/scale", { workers: "x".repeat(70_000) }, 413, /too large/],
  ];
  for (const [method, route, body, status, message] of cases) {
    const reply = await askControl(path, method, route, body);
    assert.equal(reply.status, status, route);
    assert.match((reply.body as { error: string }).error, message);
  }
  assert.deepEqual(target.calls, []);
});

/** A process that is killed leaves its socket's file. */
function leaveSocket(path: string): void {
  const killed = spawnSync(process.execPath, [
    "-e",
    'require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))',
    path,
  ]);
  assert.equal(killed.signal, "SIGKILL");
  assert.ok(statSync(path).isSocket());
}

test("a health socket left behind is replaced, a live one is not", async (t) => {
  const path = join(folder(t), "health.sock");
  leaveSocket(path);
  const server = await openHealthServer({ kind: "unix", path }, recorder());
  t.after(() => server.close());
  await assert.rejects(openHealthServer({ kind: "unix", path }, recorder()), /belongs to another server/);
});

test("a socket left behind is replaced, a live one and a file are not", async (t) => {
  const path = join(folder(t), "tsgun.ctl");
  const first = await openControlSocket(path, recorder());
  await assert.rejects(openControlSocket(path, recorder()), /belongs to another server/);
  first.close();
  leaveSocket(path);
  const second = await openControlSocket(path, recorder());
  second.close();
  const file = join(path, "..", "file.ctl");
  writeFileSync(file, "");
  await assert.rejects(openControlSocket(file, recorder()), /is no socket/);
  await assert.rejects(openControlSocket(`/tmp/${"x".repeat(200)}`, recorder()), /longer than/);
});

test("clients that send slowly keep nobody out, hold few descriptors, and are ended", async (t) => {
  const server = await openHealthServer({ kind: "tcp", host: "127.0.0.1", port: 0 }, recorder());
  t.after(() => server.close());
  const open = new Set<Socket>();
  let connected = 0;
  t.after(() => {
    for (const socket of open) socket.destroy();
  });
  const many = 3 * MOST_CONNECTIONS;
  for (let count = 0; count < many; count++) {
    const socket = connect(server.port as number, "127.0.0.1", () => {
      connected++;
      socket.write("GET /health/ready HTTP/1.1\r\n");
    });
    open.add(socket);
    socket.resume();
    socket.on("error", () => {}).once("close", () => open.delete(socket));
  }
  await until("as many are left as there may be", () => connected === many && open.size <= MOST_CONNECTIONS);
  const probe = await ask({ port: server.port as number }, "/health/ready");
  assert.equal(probe.status, 503);
  await until("those are ended, too", () => open.size === 0);
});

test("a connection whose command is under way makes no room for others", async (t) => {
  let finish: (outcome: Outcome) => void = () => {};
  const reload = (): Promise<Outcome> => new Promise((resolve) => (finish = resolve));
  const path = await open(t, { ...recorder(), reload });
  const reloaded = askControl(path, "POST", "/reload");
  const idle = Array.from({ length: 2 * MOST_CONNECTIONS }, () => connect(path).on("error", () => {}));
  t.after(() => {
    for (const socket of idle) socket.destroy();
  });
  await until("some of them have been closed", () => {
    for (const socket of idle) socket.resume();
    return idle.filter(({ closed }) => closed).length >= MOST_CONNECTIONS;
  });
  assert.equal((await askControl(path, "GET", "/workers")).status, 200);
  finish({ ok: true, message: "done" });
  assert.equal((await reloaded).status, 200);
});

test("the next server takes the name in one step; one that somebody else has it does not take", async (t) => {
  const path = join(folder(t), "tsgun.ctl");
  const [first, second] = [recorder(), recorder()];
  const old = await openControlSocket(path, first);
  const next = await openControlSocket(path, second, old.socket);
  t.after(() => next.close());
  assert.equal((await askControl(path, "POST", "/reopen")).status, 200);
  assert.deepEqual([first.calls, second.calls], [[], ["reopen"]]);
  old.close();
  assert.equal((await askControl(path, "POST", "/reopen")).status, 200, "its end takes the name from nobody");
  const other = join(path, "..", "other.ctl");
  const stranger = await openControlSocket(other, recorder());
  t.after(() => stranger.close());
  await assert.rejects(openControlSocket(other, recorder(), next.socket), /belongs to another server/);
  const renamed = await openControlSocket(join(path, "..", "new.ctl"), recorder(), next.socket);
  t.after(() => renamed.close());
  assert.deepEqual(readdirSync(join(path, "..")).sort(), ["new.ctl", "other.ctl"]);
});

test("of killed servers of this user the sockets are removed, others stay", async (t) => {
  const at = folder(t);
  const environment = { XDG_RUNTIME_DIR: at };
  const run = join(at, "tsgun");
  mkdirSync(run);
  const gone = spawnSync("true").pid;
  const alive = await openControlSocket(join(run, "tsgun-1.ctl"), recorder());
  t.after(() => alive.close());
  leaveSocket(join(run, `tsgun-${gone}.ctl`));
  // A process has its number: it may be a server of another kind that is just starting.
  leaveSocket(join(run, `tsgun-${process.pid}.ctl`));
  writeFileSync(join(run, `tsgun-${gone + 1}.ctl`), "no socket");
  assert.deepEqual(await liveControlSockets(environment), [join(run, "tsgun-1.ctl")]);
  const left = ["tsgun-1.ctl", `tsgun-${process.pid}.ctl`, `tsgun-${gone + 1}.ctl`];
  assert.deepEqual(readdirSync(run).sort(), left.sort());
  if (process.geteuid?.() === 0) {
    leaveSocket(join(run, `tsgun-${gone}.ctl`));
    chownSync(join(run, `tsgun-${gone}.ctl`), 65_534, 65_534);
    await liveControlSockets(environment);
    assert.ok(existsSync(join(run, `tsgun-${gone}.ctl`)), "it is another user's");
  }
  const long = new Date(Date.now() - 3_600_000);
  utimesSync(join(run, `tsgun-${process.pid}.ctl`), long, long);
  await liveControlSockets(environment);
  assert.ok(!existsSync(join(run, `tsgun-${process.pid}.ctl`)));
});

test("the health endpoint says live and ready apart, and nothing else", async (t) => {
  const target = recorder();
  const server = await openHealthServer({ kind: "tcp", host: "127.0.0.1", port: 0 }, target);
  t.after(() => server.close());
  const statusOf = (path: string, method = "GET"): Promise<number> =>
    new Promise((resolve, reject) => {
      const asking = request(
        { host: "127.0.0.1", port: server.port, path, method, agent: false },
        (response) => {
          response.resume();
          response.on("end", () => resolve(response.statusCode ?? 0));
        },
      );
      asking.on("error", reject);
      asking.end();
    });
  assert.equal(await statusOf("/health/live"), 200);
  assert.equal(await statusOf("/health/live", "HEAD"), 200);
  assert.equal(await statusOf("/health/ready"), 503);
  assert.equal(await statusOf("/stop", "POST"), 404);
  assert.deepEqual(target.calls, []);
});

test("nobody at the socket is a clear error", async (t) => {
  const path = join(folder(t), "none.ctl");
  await assert.rejects(askControl(path, "GET", "/status"), /cannot ask the server at .*none\.ctl/);
});

test("the default folder is the unit's, the user's, or one among the temporary files", () => {
  assert.equal(
    controlFolder({ RUNTIME_DIRECTORY: "/run/app:/run/other", XDG_RUNTIME_DIR: "/run/user/1" }),
    "/run/app",
  );
  assert.equal(controlFolder({ XDG_RUNTIME_DIR: "/run/user/1" }), "/run/user/1/tsgun");
  assert.match(controlFolder({}), /tsgun-\d+$/);
  assert.equal(defaultControlSocket(7, { RUNTIME_DIRECTORY: "/run/app" }), "/run/app/tsgun-7.ctl");
  assert.deepEqual(listControlSockets({ RUNTIME_DIRECTORY: "/nowhere" }), []);
});

test("a draft's name is never one that Node takes for a port", () => {
  for (let tries = 0; tries < 20; tries++) assert.ok(Number.isNaN(Number(draftName("app.ctl"))));
  assert.match(draftName("app.ctl"), /^\.s\w+$/);
});
