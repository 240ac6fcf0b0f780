/** The control interface over its real socket, with a fake server. */
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
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Controllable, Outcome } from "../../src/control/api.ts";
import { MAX_CONNECTIONS } from "../../src/control/connection-limiter.ts";
import { requestControl } from "../../src/control/control-client.ts";
import { openControlSocket, openHealthServer } from "../../src/control/control-server.ts";
import { controlRoutes, healthRoutes } from "../../src/control/routes.ts";
import { draftName } from "../../src/control/socket-name.ts";
import {
  controlFolder,
  defaultControlSocket,
  listEntries,
  removeDeadEntries,
} from "../../src/control/socket-path.ts";
import { ask } from "../support/ask.ts";
import { until } from "../support/command.ts";

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "tsgun-control-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A fake server that records the commands. */
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
      folder: "/srv/app",
      startedIn: "/srv/app",
      config: null,
      listening: [],
      startedAt: "2026-01-01T00:00:00.000Z",
      uptime: 5,
      generation: 2,
      generationStartedAt: "2026-01-01T00:01:00.000Z",
      workers: { target: 4, ready: 3 },
      state: "serving",
      ready: true,
      reason: "ok",
    }),
    workers: () => [],
    health: () => ({ live: true, started: true, ready: false, reason: "booting" }),
    reload: () => record("reload"),
    upgrade: () => record("upgrade"),
    scale: (workers) => record(`scale ${workers}`),
    restart: (pid) => record(`restart ${pid}`),
    reopen: () => record("reopen"),
    stop: (mode) => record(`stop ${mode}`),
    examinations: () => Promise.reject(new Error("no worker")),
  };
}

async function open(t: TestContext, target: Controllable): Promise<string> {
  const path = join(folder(t), "run", "tsgun.ctl");
  const server = await openControlSocket(path, controlRoutes(target));
  t.after(() => server.close());
  return path;
}

test("only the owner can use the socket and its folder", async (t) => {
  const mask = process.umask(0);
  t.after(() => process.umask(mask));
  const path = await open(t, recorder());
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(join(path, "..")).mode & 0o777, 0o700);
  assert.equal(process.umask(), 0);
});

test("every command reaches the server with its arguments", async (t) => {
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
  for (const [route, body] of asked)
    assert.equal((await requestControl(path, "POST", route, body)).status, 200);
  assert.deepEqual(target.calls, [
    "reload",
    "upgrade",
    "reopen",
    "scale 3",
    "restart 123",
    "stop graceful",
    "stop quick",
  ]);
  const status = await requestControl(path, "GET", "/status");
  assert.equal((status.body as { generation: number }).generation, 2);
  assert.deepEqual((await requestControl(path, "GET", "/workers")).body, []);
});

test("a failed command gets a 409 with the app's own error", async (t) => {
  const path = await open(t, recorder({ ok: false, error: "the app throws", detail: "at app.ts:3" }));
  const reply = await requestControl(path, "POST", "/reload");
  assert.equal(reply.status, 409);
  assert.deepEqual(reply.body, { ok: false, error: "the app throws", detail: "at app.ts:3" });
});

test("bad requests get a response that says what is wrong", async (t) => {
  const target = recorder();
  const path = await open(t, target);
  const cases: ["GET" | "POST", string, unknown, number, RegExp][] = [
    ["GET", "/nothing", undefined, 404, /unknown path \/nothing/],
    ["GET", "/reload", undefined, 405, /accepts POST/],
    ["POST", "/scale", { workers: -1 }, 400, /whole number/],
    ["POST", "/scale", undefined, 400, /whole number/],
    ["POST", "/scale", { workers: 1025 }, 400, /whole number from 0 to 1024/],
    ["POST", "/scale", { workers: 1e300 }, 400, /whole number from 0 to 1024/],
    ["POST", "/scale", [3], 400, /is not a JSON object/],
    ["POST", "/stop", "quick", 400, /is not a JSON object/],
    ["POST", "/workers/abc/restart", undefined, 400, /abc is not a process id/],
    ["POST", "/stop", { mode: "slowly" }, 400, /graceful/],
    ["POST", "/scale", { workers: "x".repeat(70_000) }, 413, /too large/],
  ];
  for (const [method, route, body, status, message] of cases) {
    const reply = await requestControl(path, method, route, body);
    assert.equal(reply.status, status, route);
    assert.match((reply.body as { error: string }).error, message);
  }
  assert.deepEqual(target.calls, []);
});

/** Above every pid that Linux and macOS assign. */
const NO_PID = 4_194_305;

/** Leaves a dead socket's file behind, as a killed process does. */
function leaveSocket(path: string): void {
  const killed = spawnSync(process.execPath, [
    "-e",
    'require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))',
    path,
  ]);
  assert.equal(killed.signal, "SIGKILL");
  assert.ok(statSync(path).isSocket());
}

test("whatever the umask, not everybody may connect to the admin listener's Unix socket", async (t) => {
  const path = join(folder(t), "health.sock");
  const mask = process.umask(0);
  t.after(() => process.umask(mask));
  const server = await openHealthServer({ kind: "unix", path }, healthRoutes(recorder()));
  t.after(() => server.close());
  assert.equal(statSync(path).mode & 0o777, 0o770);
  assert.equal(process.umask(), 0);
});

test("a health socket left behind is replaced, a live one is not", async (t) => {
  const path = join(folder(t), "health.sock");
  leaveSocket(path);
  const server = await openHealthServer({ kind: "unix", path }, healthRoutes(recorder()));
  t.after(() => server.close());
  await assert.rejects(
    openHealthServer({ kind: "unix", path }, healthRoutes(recorder())),
    /belongs to another server/,
  );
});

test("a socket left behind is replaced, a live one and a file are not", async (t) => {
  const path = join(folder(t), "tsgun.ctl");
  const first = await openControlSocket(path, controlRoutes(recorder()));
  await assert.rejects(openControlSocket(path, controlRoutes(recorder())), /belongs to another server/);
  first.close();
  leaveSocket(path);
  const second = await openControlSocket(path, controlRoutes(recorder()));
  second.close();
  const file = join(path, "..", "file.ctl");
  writeFileSync(file, "");
  await assert.rejects(openControlSocket(file, controlRoutes(recorder())), /is not a socket/);
  await assert.rejects(
    openControlSocket(`/tmp/${"x".repeat(200)}`, controlRoutes(recorder())),
    /longer than/,
  );
});

test("slow clients lock no other out, hold few descriptors, and are closed", async (t) => {
  const server = await openHealthServer(
    { kind: "tcp", host: "127.0.0.1", port: 0 },
    healthRoutes(recorder()),
  );
  t.after(() => server.close());
  const open = new Set<Socket>();
  let connected = 0;
  t.after(() => {
    for (const socket of open) socket.destroy();
  });
  const many = 3 * MAX_CONNECTIONS;
  for (let count = 0; count < many; count++) {
    const socket = connect(server.port as number, "127.0.0.1", () => {
      connected++;
      socket.write("GET /health/ready HTTP/1.1\r\n");
    });
    open.add(socket);
    socket.resume();
    socket.on("error", () => {}).once("close", () => open.delete(socket));
  }
  await until(
    "the maximum number of connections is left",
    () => connected === many && open.size <= MAX_CONNECTIONS,
  );
  const probe = await ask({ port: server.port as number }, "/health/ready");
  assert.equal(probe.status, 503);
  await until("those are closed, too", () => open.size === 0);
});

test("a connection whose command is in progress is not closed to make room", async (t) => {
  let finish: (outcome: Outcome) => void = () => {};
  const reload = (): Promise<Outcome> => new Promise((resolve) => (finish = resolve));
  const path = await open(t, { ...recorder(), reload });
  const reloaded = requestControl(path, "POST", "/reload");
  const idle = Array.from({ length: 2 * MAX_CONNECTIONS }, () => connect(path).on("error", () => {}));
  t.after(() => {
    for (const socket of idle) socket.destroy();
  });
  await until("some of them have been closed", () => {
    for (const socket of idle) socket.resume();
    return idle.filter(({ closed }) => closed).length >= MAX_CONNECTIONS;
  });
  assert.equal((await requestControl(path, "GET", "/workers")).status, 200);
  finish({ ok: true, message: "done" });
  assert.equal((await reloaded).status, 200);
});

test("the new server takes over the name atomically, but not a name that another server has", async (t) => {
  const path = join(folder(t), "tsgun.ctl");
  const [first, second] = [recorder(), recorder()];
  const old = await openControlSocket(path, controlRoutes(first));
  const next = await openControlSocket(path, controlRoutes(second), old.socket);
  t.after(() => next.close());
  assert.equal((await requestControl(path, "POST", "/reopen")).status, 200);
  assert.deepEqual([first.calls, second.calls], [[], ["reopen"]]);
  old.close();
  assert.equal(
    (await requestControl(path, "POST", "/reopen")).status,
    200,
    "the old server's end leaves the new one its name",
  );
  const other = join(path, "..", "other.ctl");
  const stranger = await openControlSocket(other, controlRoutes(recorder()));
  t.after(() => stranger.close());
  await assert.rejects(
    openControlSocket(other, controlRoutes(recorder()), next.socket),
    /belongs to another server/,
  );
  const renamed = await openControlSocket(
    join(path, "..", "new.ctl"),
    controlRoutes(recorder()),
    next.socket,
  );
  t.after(() => renamed.close());
  assert.deepEqual(readdirSync(join(path, "..")).sort(), ["new.ctl", "other.ctl"]);
});

test("sockets of this user's killed servers are removed, others are kept", async (t) => {
  const at = folder(t);
  const run = join(at, "tsgun");
  mkdirSync(run);
  const gone = spawnSync("true").pid;
  const alive = await openControlSocket(join(run, "tsgun-1.ctl"), controlRoutes(recorder()));
  t.after(() => alive.close());
  leaveSocket(join(run, `tsgun-${gone}.ctl`));
  // A process with this pid exists: it may be a server that is just starting.
  leaveSocket(join(run, `tsgun-${process.pid}.ctl`));
  writeFileSync(join(run, `tsgun-${gone + 1}.ctl`), "no socket");
  symlinkSync(join(run, "tsgun-1.ctl"), join(run, `tsgun-${NO_PID}.ctl`));
  symlinkSync(join(at, "none"), join(run, `tsgun-${NO_PID + 1}.ctl`));
  symlinkSync(join(at, "none"), join(run, `tsgun-${process.ppid}.ctl`));
  await removeDeadEntries(run);
  // A link stays while its process exists: during an upgrade its target may have no name.
  const kept = [1, process.pid, process.ppid, gone + 1, NO_PID];
  const left = kept.map((pid) => `tsgun-${pid}.ctl`);
  assert.deepEqual(readdirSync(run).sort(), left.sort());
  if (process.geteuid?.() === 0) {
    leaveSocket(join(run, `tsgun-${gone}.ctl`));
    chownSync(join(run, `tsgun-${gone}.ctl`), 65_534, 65_534);
    await removeDeadEntries(run);
    assert.ok(existsSync(join(run, `tsgun-${gone}.ctl`)), "it belongs to another user");
  }
  const long = new Date(Date.now() - 3_600_000);
  utimesSync(join(run, `tsgun-${process.pid}.ctl`), long, long);
  await removeDeadEntries(run);
  assert.ok(!existsSync(join(run, `tsgun-${process.pid}.ctl`)));
});

test("the health endpoint has live, startup and ready, and nothing else", async (t) => {
  const target = recorder();
  const server = await openHealthServer({ kind: "tcp", host: "127.0.0.1", port: 0 }, healthRoutes(target));
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
  assert.equal(await statusOf("/health/startup"), 200);
  assert.equal(await statusOf("/health/ready"), 503);
  assert.equal(await statusOf("/stop", "POST"), 404);
  assert.deepEqual(target.calls, []);
});

test("a socket without a server is a clear error", async (t) => {
  const path = join(folder(t), "none.ctl");
  await assert.rejects(requestControl(path, "GET", "/status"), /cannot reach the server at .*none\.ctl/);
});

test("the default folder is the unit's, the user's, or one in the temporary directory", () => {
  assert.equal(
    controlFolder({ RUNTIME_DIRECTORY: "/run/app:/run/other", XDG_RUNTIME_DIR: "/run/user/1" }),
    "/run/app",
  );
  assert.equal(controlFolder({ XDG_RUNTIME_DIR: "/run/user/1" }), "/run/user/1/tsgun");
  assert.match(controlFolder({}), /tsgun-\d+$/);
  assert.equal(defaultControlSocket(7, { RUNTIME_DIRECTORY: "/run/app" }), "/run/app/tsgun-7.ctl");
  assert.deepEqual(listEntries("/nowhere"), []);
});

test("a draft name is never one that Node takes for a port", () => {
  for (let tries = 0; tries < 20; tries++) assert.ok(Number.isNaN(Number(draftName("app.ctl"))));
  assert.match(draftName("app.ctl"), /^\.s\w+$/);
});
