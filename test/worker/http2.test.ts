/** HTTP/2 through the built command, with curl and node's own client: the settings, the access log and the metrics. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { ask as askOverHttp1 } from "../support/ask.ts";
import { FIXTURES, type RunningCommand, startCommand, temporaryFolder, until } from "../support/command.ts";
import { missing } from "../support/component.ts";
import { ask } from "../support/http2-engine.ts";

const run = promisify(execFile);
const APP = join(FIXTURES, "pool", "echo.mjs");

function start(context: TestContext, words: readonly string[], app = APP): RunningCommand {
  const control = join(temporaryFolder(context), "c.ctl");
  return startCommand(context, [app, "-b", "127.0.0.1:0", "--control-socket", control, ...words]);
}

async function open(context: TestContext, port: number): Promise<ClientHttp2Session> {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  context.after(() => session.destroy());
  await once(session, "remoteSettings");
  return session;
}

test("one port speaks HTTP/2 and HTTP/1.1; settings, log and metrics say so", {
  skip: missing("curl"),
}, async (context) => {
  const limits = ["--http2-max-concurrent-streams", "7", "--http2-initial-window-size", "70000"];
  const sizes = ["--http2-max-frame-size", "20000", "--http2-max-header-list-size", "30000"];
  const words = [
    "--http-protocols",
    "h1,h2",
    "-w",
    "1",
    "--access-logfile",
    "-",
    "--admin-bind",
    "127.0.0.1:0",
  ];
  const command = start(context, [...words, ...limits, ...sizes]);
  await command.ready();
  const port = await command.port();
  const url = `http://127.0.0.1:${port}/`;
  const curl = [
    "-s",
    "--http2-prior-knowledge",
    "-d",
    "hello",
    "-w",
    " %{http_version} %{response_code}",
    url,
  ];
  assert.match((await run("curl", curl)).stdout, /^\d+ hello 2 200$/);
  assert.equal((await askOverHttp1({ host: "127.0.0.1", port })).status, 200);
  const { remoteSettings } = await open(context, port);
  assert.deepEqual(
    [
      remoteSettings.maxConcurrentStreams,
      remoteSettings.initialWindowSize,
      remoteSettings.maxFrameSize,
      remoteSettings.maxHeaderListSize,
    ],
    [7, 70_000, 20_000, 30_000],
  );
  await until("both requests are in the access log", () => /HTTP\/1\.1" 200/.test(command.stdout));
  assert.match(command.stdout, /"POST \/ HTTP\/2\.0" 200 /);
  const admin = /:(\d+)\/dashboard/.exec(await command.line(/Dashboard at/))?.[1];
  await until("the request is counted", async () => {
    const { text } = await askOverHttp1({ host: "127.0.0.1", port: Number(admin) }, "/metrics");
    return /_count\{http_request_method="POST"[^}]*network_protocol_version="2"[^}]*\} 1/.test(text);
  });
});

test("h2 alone refuses clients of HTTP/1.1 in a way that they understand", async (context) => {
  const command = start(context, ["--http-protocols", "h2", "-w", "1"]);
  await command.ready();
  const port = await command.port();
  const session = await open(context, port);
  assert.equal((await ask(session)).status, 200);
  const answer = await askOverHttp1({ host: "127.0.0.1", port });
  assert.deepEqual([answer.status, answer.text], [505, "this server speaks HTTP/2 only\n"]);
  await command.line(/Refused a connection: this server speaks HTTP\/2 only/);
});

test("h2 that no client could speak ends the start with the way out", async (context) => {
  const off = start(context, ["--http-protocols", "h1,h2", "--http2-cleartext", "off"]);
  assert.equal((await off.ended()).code, 3);
  assert.match(off.stderr, /--http2-cleartext is off and there is no TLS: add --certfile/);
});

test("HUP loses no request of a client that heeds GOAWAY", async (context) => {
  const command = start(context, ["--http-protocols", "h1,h2", "-w", "2"]);
  await command.ready();
  const port = await command.port();
  let session = await open(context, port);
  let done = 0;
  let isOver = false;
  let failed: unknown;
  const load = (async () => {
    while (!isOver) {
      if (session.closed || session.destroyed) session = await open(context, port);
      const answers = await Promise.all([1, 2, 3, 4].map(() => ask(session, { ":path": "/slow?5" })));
      done += 4;
      const bad = answers.find(({ status, code }) => status !== 200 && code !== 7);
      if (bad !== undefined) failed = JSON.stringify(bad);
    }
  })();
  await until("requests are answered", () => done > 20);
  command.kill("SIGHUP");
  await command.ready(2);
  const before = done;
  await until("requests are answered again", () => done > before + 200);
  isOver = true;
  await load;
  assert.equal(failed, undefined);
});
