/** Listening on inherited sockets in a real cluster worker, which relies on an internal of this version of Node. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import cluster from "node:cluster";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { bindAll } from "../../src/arbiter/sockets/bind.ts";
import { ExitCode, FatalError } from "../../src/errors.ts";
import { listenOn } from "../../src/server/listen.ts";
import { startCommand, temporaryFolder, until } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import type { Target } from "../support/load.ts";

const BACKLOG = 37;

interface Listening {
  readonly pid: number;
  readonly port: number;
  readonly path: string;
}

/** Starts a worker that listens on a TCP and a Unix socket bound here. */
async function listening(context: TestContext): Promise<Listening> {
  const path = join(temporaryFolder(context), "app.sock");
  const addresses = [{ kind: "tcp", host: "127.0.0.1", port: 0 } as const, { kind: "unix", path } as const];
  const listeners = await bindAll(addresses, { backlog: BACKLOG });
  cluster.setupPrimary({
    exec: join(import.meta.dirname, "..", "fixtures", "listen", "worker.ts"),
    args: [],
    stdio: ["ignore", "inherit", "inherit", ...listeners.map((listener) => listener.descriptor), "ipc"],
  });
  const worker = cluster.fork({ DESCRIPTORS: "[3,4]", BACKLOG: String(BACKLOG) });
  context.after(async () => {
    const exited = once(worker.process, "exit");
    worker.process.kill("SIGKILL");
    await exited;
  });
  const [message] = await once(worker, "message");
  assert.equal(message, "listening");
  const [tcp] = listeners;
  const port = Number(new URL(tcp?.url ?? "").port);
  return { pid: worker.process.pid as number, port, path };
}

async function greeting(target: Target): Promise<string> {
  const socket = connect(target).setEncoding("utf8");
  let text = "";
  for await (const chunk of socket) text += chunk;
  return text;
}

test("a cluster worker accepts connections itself, over TCP and Unix", async (context) => {
  const { pid, port, path } = await listening(context);
  assert.equal(await greeting({ port, host: "127.0.0.1" }), `worker ${pid}`);
  assert.equal(await greeting({ path }), `worker ${pid}`);
  assert.equal(cluster.isPrimary, true);
});

test("the backlog reaches the kernel", { skip: process.platform !== "linux" }, async (context) => {
  if (!hasComponent(context, "ss", "iproute2")) return;
  const { port, path } = await listening(context);
  const { stdout } = spawnSync("ss", ["-ltnxH"], { encoding: "utf8" });
  const rows = stdout
    .split("\n")
    .filter((row) => row.includes(`127.0.0.1:${port} `) || row.includes(`${path} `));
  assert.equal(rows.length, 2, stdout);
  // State, waiting connections, backlog.
  for (const row of rows) assert.match(row, new RegExp(`LISTEN\\s+0\\s+${BACKLOG}\\s`));
});

for (const app of ["apps/javascript/app.js", "apps/frameworks/http.js:listener"]) {
  test(`the kernel probes silent clients of ${app}`, {
    skip: process.platform !== "linux",
  }, async (context) => {
    if (!hasComponent(context, "ss", "iproute2")) return;
    const server = startCommand(context, [app, "--bind", "127.0.0.1:0"]);
    await server.ready();
    const port = await server.port();
    const socket = connect(port, "127.0.0.1");
    context.after(() => socket.destroy());
    await once(socket, "connect");
    // The server may be killed at the end before it has accepted the connection.
    socket.on("error", () => {});
    await until("the server's end has a keep-alive timer", () => {
      const { stdout } = spawnSync("ss", ["-tnoH", "state", "established", `sport = :${port}`], {
        encoding: "utf8",
      });
      return /timer:\(keepalive,(?:1min|5\dsec)/.test(stdout);
    });
  });
}

test("a descriptor that is not a socket is a clear error, and cluster.isPrimary is restored", async (context) => {
  const fd = openSync(import.meta.filename, "r");
  context.after(() => closeSync(fd));
  await assert.rejects(listenOn(createServer(), fd), (error) => {
    assert.ok(error instanceof FatalError);
    assert.equal(error.exitCode, ExitCode.workerBoot);
    assert.match(error.message, new RegExp(`^cannot accept connections on inherited descriptor ${fd}: `));
    return true;
  });
  assert.equal(cluster.isPrimary, true);
});
