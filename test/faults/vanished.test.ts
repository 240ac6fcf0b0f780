/**
 * Clients that disconnect while their response is idle. The event loop gets no event for them; their requests must be
 * aborted all the same, and a client that only shuts down its sending side must get its response.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect, type NetConnectOpts, type Socket } from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import type { WorkerReport } from "../../src/control/api.ts";
import { requestControl } from "../../src/control/control-client.ts";
import { ask } from "../support/ask.ts";
import { type RunningCommand, startCommand, temporaryFolder, until } from "../support/command.ts";
import { RawClient } from "../support/engine.ts";
import { startNginx } from "../support/nginx.ts";

/** Clients of each kind. */
const CLIENTS = 4;
const UPLOAD = 5_000_000;

interface Stage {
  readonly command: RunningCommand;
  readonly folder: string;
  readonly tcp: NetConnectOpts & { port: number };
  readonly unix: NetConnectOpts & { path: string };
  /** How many requests the app still handles. */
  waiting(): Promise<number>;
  /** The connections that the worker's accept limiter counts. */
  connections(): Promise<number>;
  /** The access log's lines for these targets. */
  accessed(targets: readonly string[]): { target: string; end: string }[];
}

async function serve(context: TestContext, app: string, ...args: string[]): Promise<Stage> {
  const folder = temporaryFolder(context);
  const path = join(folder, "app.sock");
  const control = join(folder, "control.sock");
  const binds = ["--bind", "127.0.0.1:0", "--bind", `unix:${path}`, "--control-socket", control];
  const accessLog = join(folder, "access.log");
  const log = ["--access-logfile", accessLog, "--access-logformat", "json"];
  const command = startCommand(context, [app, ...binds, ...log, ...args]);
  await command.ready();
  const tcp = { host: "127.0.0.1", port: await command.port() };
  return {
    command,
    folder,
    tcp,
    unix: { path },
    waiting: async () => Number((await ask({ path }, "/waiting")).text),
    connections: async () => {
      const { body } = await requestControl(control, "GET", "/workers");
      return (body as WorkerReport[]).reduce((sum, worker) => sum + worker.connections, 0);
    },
    accessed: (targets) =>
      readFileSync(accessLog, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line))
        .filter(({ target }) => targets.includes(target)),
  };
}

async function open(context: TestContext, at: NetConnectOpts, bytes: string): Promise<Socket> {
  const socket = connect({ ...at, allowHalfOpen: true });
  context.after(() => socket.destroy());
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(bytes);
  return socket;
}

/** The open sockets of a process. Its other descriptors come and go: it reads the kernel's tables, for example. */
function sockets(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).filter((descriptor) => isSocket(`/proc/${pid}/fd/${descriptor}`))
    .length;
}

function isSocket(descriptor: string): boolean {
  try {
    return readlinkSync(descriptor).startsWith("socket:");
  } catch {
    return false;
  }
}

const get = (path: string, version = "1.1"): string => `GET ${path} HTTP/${version}\r\nHost: a\r\n\r\n`;
const UPGRADE = get("/").replace("\r\n\r\n", "\r\nConnection: Upgrade\r\nUpgrade: lines\r\n\r\n");

/** Clients that have received everything sent so far. */
async function waitingClients(context: TestContext, at: NetConnectOpts, head: string): Promise<Socket[]> {
  return await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const socket = await open(context, at, head);
      if (!head.includes("/never")) await new RawClient(socket).until((text) => text.includes("first"));
      return socket;
    }),
  );
}

describe("the request of a client that has disconnected is aborted", { concurrency: true }, () => {
  for (const [app, paths] of [
    ["faults/quiet.mjs:app", ["/stream", "/iterator", "/writer", "/sized", "/never"]],
    ["faults/quiet.mjs:fetchApp", ["/stream", "/iterator", "/never"]],
  ] as const) {
    test(app, async (context) => {
      const kind = app.endsWith("fetchApp") ? "fetch" : "gateway";
      const stage = await serve(context, app, "--request-timeout", "0", "--interface", kind);
      const [pid = 0] = stage.command.workers();
      const before = sockets(pid);
      const direct = [stage.tcp, stage.unix];
      const opening = [
        ...direct.flatMap((at) => paths.map((path) => waitingClients(context, at, get(path, "1.0")))),
        ...[...direct, ...(await proxies(context, stage))].flatMap((at) =>
          paths.map((path) => waitingClients(context, at, get(path))),
        ),
      ];
      const asked = opening.length * CLIENTS;
      if (kind === "gateway") opening.push(...direct.map((at) => waitingClients(context, at, UPGRADE)));
      const clients = (await Promise.all(opening)).flat();
      await until("all wait", async () => (await stage.waiting()) === clients.length);
      for (const client of clients) client.destroy();
      await until("the app has been notified of all", async () => (await stage.waiting()) === 0);
      await until("their places are free", async () => (await stage.connections()) === 0);
      await until("their sockets are closed", () => sockets(pid) <= before);
      assert.deepEqual(await stage.command.end(), { code: 0, signal: null });
      const ends = stage.accessed(paths).map(({ end }) => end);
      assert.deepEqual([ends.length, new Set(ends)], [asked, new Set(["client-gone"])]);
      assert.deepEqual(stage.command.lines(/ERROR|has not finished|is killed/), []);
    });
  }
});

/** nginx with HTTP/1.1 to the server, with its old default HTTP/1.0, and over the Unix socket. */
async function proxies(context: TestContext, stage: Stage): Promise<{ host: string; port: number }[]> {
  const sites = [
    ["current", `127.0.0.1:${stage.tcp.port}`, "1.1"],
    ["old", `127.0.0.1:${stage.tcp.port}`, "1.0"],
    ["unix", `unix:${stage.unix.path}`, "1.1"],
  ] as const;
  const started = sites.map(async ([name, server, version]) => {
    const folder = join(stage.folder, name);
    mkdirSync(folder);
    const { port } = await startNginx(context, folder, {
      upstream: `server ${server};`,
      server: `location / { proxy_pass http://app; proxy_http_version ${version}; proxy_buffering off; }`,
    });
    return { host: "127.0.0.1", port };
  });
  return await Promise.all(started);
}

describe("unread content does not hide that its client has disconnected", {
  concurrency: true,
}, () => {
  for (const app of ["faults/quiet.mjs:app", "faults/quiet-listener.cjs"]) {
    test(app, async (context) => {
      const stage = await serve(context, app, "--request-timeout", "0");
      const head = `POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: ${UPLOAD}\r\n\r\n`;
      const clients = await Promise.all(
        [stage.tcp, stage.tcp, stage.unix].map((at) => open(context, at, head)),
      );
      for (const client of clients) client.write(Buffer.alloc(UPLOAD / 2));
      await until("no more is taken", () => clients.every(isStuck));
      for (const at of [stage.tcp, stage.unix]) clients.push(...(await waitingClients(context, at, UPGRADE)));
      await until("all wait", async () => (await stage.waiting()) === clients.length);
      const [reset, ...closed] = clients;
      reset?.resetAndDestroy();
      for (const client of closed) client.destroy();
      await until("the app has been notified of all", async () => (await stage.waiting()) === 0);
      assert.deepEqual(await stage.command.end(), { code: 0, signal: null });
      assert.deepEqual(stage.command.lines(/ERROR|has not finished|is killed/), []);
    });
  }
});

const left = new WeakMap<Socket, number>();

/** Whether the system has accepted no more bytes since the last call. */
function isStuck(socket: Socket): boolean {
  const { writeQueueSize = 0 } =
    (socket as unknown as { _handle?: { writeQueueSize: number } })._handle ?? {};
  const stuck = left.get(socket) === writeQueueSize;
  left.set(socket, writeQueueSize);
  return stuck;
}

test("a client that only shuts down its sending side gets its whole response", async (context) => {
  const stage = await serve(context, "faults/patient.mjs");
  const asked = [stage.tcp, stage.unix].flatMap((at) =>
    ["/chunked", "/sized", "/late"].flatMap((path) => [
      halfClosed(at, path).then((text) => [path, text]),
      oldHalfClosed(context, at, path).then((text) => [path, text]),
    ]),
  );
  for (const [path, text] of await Promise.all(asked)) assert.equal(text, `answer of ${path}`);
  assert.deepEqual(await stage.command.end(), { code: 0, signal: null });
});

/** Uses Node's own client, whose parser also sees interim responses. */
async function halfClosed(at: NetConnectOpts, path: string): Promise<string> {
  const request = httpRequest({ path, createConnection: () => connect({ ...at, allowHalfOpen: true }) });
  request.end();
  request.on("socket", (socket) => socket.once("connect", () => setImmediate(() => socket.end())));
  const [response] = (await once(request, "response")) as [AsyncIterable<Buffer>];
  let text = "";
  for await (const piece of response) text += piece;
  return text;
}

async function oldHalfClosed(context: TestContext, at: NetConnectOpts, path: string): Promise<string> {
  const socket = await open(context, at, get(path, "1.0"));
  socket.end();
  return (await new RawClient(socket).rest()).split("\r\n\r\n")[1] ?? "";
}
