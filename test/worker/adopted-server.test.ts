/** Programs that make their own server listen, served as `node program.js` would run them. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { WebSocket } from "ws";
import { ask } from "../support/ask.ts";
import {
  FIXTURES,
  isAlive,
  type RunningCommand,
  startCommand,
  temporaryFolder,
  until,
} from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { RawClient } from "../support/engine.ts";
import { freePort } from "../support/free-port.ts";

const fixture = (name: string): string => join(FIXTURES, "servers", name);

async function serve(
  context: TestContext,
  name: string,
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
) {
  const command = startCommand(context, [fixture(name), "-b", "127.0.0.1:0", ...args], { env });
  await command.ready();
  const target = { host: "127.0.0.1", port: await command.port() };
  return { command, target };
}

async function raw(context: TestContext, port: number): Promise<RawClient> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  context.after(() => socket.destroy());
  await once(socket, "connect");
  return new RawClient(socket);
}

describe("a program that listens is served", { concurrency: 4 }, () => {
  const programs: [name: string, text: RegExp, stdout: RegExp][] = [
    [
      "express.cjs",
      /^Hello World! \d+$/,
      /on port 3000, address \{"address":"127\.0\.0\.1","family":"IPv4","port":\d+\}/,
    ],
    ["late.mjs", /^late \d+$/, /listening true/],
    ["top-level.mjs", /^top level$/, /listening/],
    ["koa.mjs", /^Hello Koa$/, /^$/],
    ["hono.mjs", /^Hono!$/, /Listening on \d+/],
    ["fastify.mjs", /^\{"hello":"world"\}$/, /listening at http:\/\/127\.0\.0\.1:\d+/],
    ["guarded.cjs", /^guarded$/, /^the main module$/m],
    ["clustered.cjs", /^in a worker$/, /^$/],
    ["exported-express.cjs", /^exported$/, /^$/],
  ];

  for (const [name, text, stdout] of programs) {
    test(name, async (context) => {
      const { command, target } = await serve(context, name);
      assert.match((await ask(target)).text, text);
      assert.match(command.stdout, stdout);
      assert.match(command.stderr, /Using worker: (http\.Server of port \d+|Express app)/);
      await command.end();
      assert.doesNotMatch(command.stderr, /ERROR|WARNING/);
    });
  }

  test("though it has messages of its own on the channel", async (context) => {
    const { command, target } = await serve(context, "messages.cjs");
    assert.equal((await ask(target)).text, "served");
    assert.match(command.stderr, /Using worker: http\.Server/);
    // A reload sends the worker more messages.
    command.kill("SIGHUP");
    await command.ready(2);
    await command.end();
    assert.doesNotMatch(command.stderr, /ERROR|CRITICAL|unexpected message/);
  });

  test("after its first request has warmed it up, in every worker", async (context) => {
    const { command } = await serve(context, "express.cjs", ["--warmup-path", "/", "-w", "2"]);
    assert.equal(command.workers().length, 2);
  });

  test("over a Unix socket, whose path address() returns", async (context) => {
    const path = join(temporaryFolder(context), "app.sock");
    const command = startCommand(context, [fixture("express.cjs"), "-b", `unix:${path}`]);
    await command.ready();
    assert.match((await ask({ path })).text, /^Hello World!/);
    assert.match(command.stdout, new RegExp(`address "${path}"`));
  });

  test("and --check-config finds it without opening anything", async (context) => {
    const command = startCommand(context, [fixture("express.cjs"), "--check-config"]);
    const { code } = await command.ended();
    assert.equal(code, 0);
    assert.match(command.stdout, /\(http\.Server of port 3000\)/);
  });
});

describe("what only node's own server has", { concurrency: 4 }, () => {
  test("its settings and its events are the app's", async (context) => {
    const { target } = await serve(context, "raw.cjs");
    const twice = await raw(context, target.port);
    twice.send("GET / HTTP/1.1\r\nHost: a\r\nX-Twice: 1\r\nX-Twice: 2\r\n\r\n");
    await twice.until((text) => text.endsWith("GET 1, 2"), "the answer");
    assert.match(twice.received, /^Keep-Alive: timeout=1\r$/m);
    const expecting = await raw(context, target.port);
    expecting.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    await expecting.until((text) => text.endsWith("no, thank you"), "the refusal");
    assert.match(expecting.received, /^HTTP\/1\.1 413 /);
    const tunnel = await raw(context, target.port);
    tunnel.send("CONNECT b:1 HTTP/1.1\r\nHost: b:1\r\n\r\n");
    assert.match(await tunnel.rest(), /established\r\n\r\ntunnel$/);
    const broken = await raw(context, target.port);
    broken.send("NONSENSE\r\n\r\n");
    assert.equal(await broken.rest(), "HTTP/1.1 400 That Is No Request\r\n\r\n");
    const upgraded = await raw(context, target.port);
    upgraded.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: lines\r\n\r\n");
    await upgraded.until((text) => text.includes("\r\n\r\n"), "the switch");
    upgraded.send("echo\n");
    await upgraded.until((text) => text.endsWith("echo\n"), "the echo");
  });

  test("tsgun's own settings win where they are given", async (context) => {
    const { target } = await serve(context, "raw.cjs", ["--keep-alive", "7s", "--limit-request-fields", "3"]);
    const kept = await raw(context, target.port);
    kept.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await kept.until((text) => text.includes("\r\n\r\n"), "the answer");
    assert.match(kept.received, /^Keep-Alive: timeout=7\r$/m);
    const { status } = await ask(target);
    assert.equal(status, 200);
    const many = await raw(context, target.port);
    many.send("GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n");
    await many.until((text) => text.startsWith("HTTP/1.1 431 "), "the refusal");
  });
});

describe("the end of a program that listens", { concurrency: 4 }, () => {
  test("its own listeners of SIGTERM run after the drain, in a reload and at the stop", async (context) => {
    const { command, target } = await serve(context, "signals.cjs");
    const [worker = 0] = command.workers();
    const slow = ask(target, "/slow");
    await until("it is under way", async () => (await ask(target)).status === 200);
    command.kill("SIGHUP");
    assert.equal((await slow).text, `pid ${worker}`);
    await command.ready(2);
    await until("the old worker is gone", () => !isAlive(worker));
    assert.equal(command.stdout, "SIGTERM in the app\n");
    await command.end();
    assert.equal(command.stdout, "SIGTERM in the app\nSIGTERM in the app\n");
    assert.doesNotMatch(command.stderr, /ERROR|WARNING/);
  });

  test("a signal to the worker itself does not reach the app before the drain either", async (context) => {
    const { command, target } = await serve(context, "signals.cjs");
    const [worker = 0] = command.workers();
    const slow = ask(target, "/slow");
    await until("it is under way", async () => (await ask(target)).status === 200);
    process.kill(worker, "SIGTERM");
    assert.equal((await slow).text, `pid ${worker}`);
    await until("it is replaced", () => command.workers().some((pid) => pid !== worker));
    await until("the app has been told", () => command.stdout === "SIGTERM in the app\n");
  });

  test("a quick stop runs those of SIGINT", async (context) => {
    const { command } = await serve(context, "signals.cjs");
    await command.end("SIGINT");
    await until("the app has been told", () => command.stdout === "SIGINT in the app\n");
  });

  test("a program whose listener only closes the server ends with it", async (context) => {
    // Far beyond the graceful timeout: the timer of the linger must not keep the process alive.
    const args = ["--graceful-timeout", "10s", "--linger", "60s"];
    const { command, target } = await serve(context, "express.cjs", args);
    assert.equal((await ask(target)).status, 200);
    await command.end();
    assert.match(command.stdout, /closing HTTP server\nHTTP server closed\n$/);
    assert.doesNotMatch(command.stderr, /has not finished|is killed/);
  });

  const ends: [how: string, args: string[], stdout: string, stderr: RegExp][] = [
    ["number", [], "SIGTERM 15\n", /^(?![\s\S]*(WARNING|ERROR|CRITICAL))/],
    ["failure", [], "", /^(?![\s\S]*(WARNING|ERROR|CRITICAL))/],
    ["never", ["--graceful-timeout", "1s"], "", /The app has not ended since its signal listeners ran/],
    ["throws", [], "", /Uncaught exception: the worker exits\nError: in the listener/],
  ];

  for (const [how, args, stdout, stderr] of ends) {
    test(`its listener of SIGTERM: ${how}`, async (context) => {
      const { command } = await serve(context, "ends.cjs", args, { HOW: how });
      assert.equal((await command.end()).code, 0);
      assert.equal(command.stdout, stdout);
      assert.match(command.stderr, stderr);
      assert.doesNotMatch(command.stderr, /is killed/);
    });
  }

  test("a worker whose app closes its server is replaced", async (context) => {
    const { command, target } = await serve(context, "closing.cjs");
    const { text } = await ask(target, "/close");
    await command.line(/The app closed its server: this worker is replaced/);
    await until("another one serves", async () => (await ask(target)).text !== text);
  });
});

describe("an app with several servers", { concurrency: 4 }, () => {
  test("has the first one served, and the other one open in one worker, also after reloads", async (context) => {
    const port = await freePort();
    const { command, target } = await serve(context, "metrics.cjs", ["-w", "2"], { METRICS_PORT: `${port}` });
    assert.match((await ask(target)).text, /^app \d+$/);
    assert.equal(command.lines(/The app also listens on port \d+ of 127\.0\.0\.1/).length, 1);
    const metrics = { host: "127.0.0.1", port };
    const before = (await ask(metrics)).text;
    command.kill("SIGHUP");
    await command.ready(2);
    await until("the new one has the port", async () => {
      const { text } = await ask(metrics).catch(() => ({ text: before }));
      return text !== before;
    });
    assert.doesNotMatch(command.stderr, /cannot listen|ERROR/);
  });

  test("--adopt names the one to serve", async (context) => {
    const env = { METRICS_PORT: `${await freePort()}`, METRICS_FIRST: "1" };
    const { target } = await serve(context, "metrics.cjs", ["--adopt", "3000"], env);
    assert.match((await ask(target)).text, /^app \d+$/);
  });

  test("that listens later than it exports: what the export lacks is told, and --adopt serves it", async (context) => {
    const upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
    const exported = await serve(context, "exported-early.cjs");
    assert.equal((await ask(exported.target)).text, "exported");
    await exported.command.line(
      /a server listen on port 3000 later .*: the export is served, without .* use --adopt 3000 /,
    );
    const adopted = await serve(context, "exported-early.cjs", ["--adopt", "3000"]);
    const client = await raw(context, adopted.target.port);
    client.send(upgrade);
    assert.match(await client.rest(), /^HTTP\/1\.1 101 Upgraded/);
  });

  test("--adopt tells of a server that does not listen, and of an interface that has none", async (context) => {
    for (const [args, message] of [
      [[], /echo\.mjs makes no server listen on 3000 \(--adopt\)/],
      [["--interface", "gateway"], /--adopt 3000 is for an app that listens/],
    ] as const) {
      const app = join(FIXTURES, "pool/echo.mjs");
      const command = startCommand(context, [app, "-b", "127.0.0.1:0", "--adopt", "3000", ...args]);
      assert.equal((await command.ended()).code, 4);
      assert.match(command.stderr, message);
    }
  });

  test("does not boot where others are refused", async (context) => {
    const args = [fixture("metrics.cjs"), "-b", "127.0.0.1:0", "--other-servers", "refuse"];
    const command = startCommand(context, args, { env: { METRICS_PORT: "9090" } });
    assert.equal((await command.ended()).code, 4);
    assert.match(
      command.stderr,
      /refused to listen on port 9090 of 127\.0\.0\.1: this app already has a server/,
    );
  });
});

describe("other protocols are passed on as bytes", { concurrency: 4 }, () => {
  test("a WebSocket server with a port of its own", async (context) => {
    const { command, target } = await serve(context, "sockets.mjs", ["--graceful-timeout", "20s"]);
    const socket = new WebSocket(`ws://127.0.0.1:${target.port}/`);
    context.after(() => socket.terminate());
    const [hello] = await once(socket, "message");
    socket.send("hi");
    assert.equal(String((await once(socket, "message"))[0]), "echo hi");
    const worker = Number(String(hello).slice(4));
    const closed = once(socket, "close");
    command.kill("SIGHUP");
    assert.equal((await closed)[0], 1001, "the app itself says goodbye");
    await until("the old worker is gone", () => !isAlive(worker));
    assert.doesNotMatch(command.stderr, /has not finished|is killed/);
  });

  test("a server of node:net", async (context) => {
    const { command, target } = await serve(context, "echo.cjs", ["--linger", "200ms"]);
    assert.match(command.stderr, /Using worker: net\.Server of port 7000/);
    const socket: Socket = connect(target.port, target.host);
    const [hello] = await once(socket, "data");
    const worker = Number(/\d+/.exec(String(hello))?.[0]);
    socket.write("bytes");
    assert.equal(String((await once(socket, "data"))[0]), "bytes");
    command.kill("SIGHUP");
    // It is idle, so the drain closes it.
    await once(socket, "close");
    await until("the old worker is gone", () => !isAlive(worker));
  });

  test("an https server", async (context) => {
    if (!hasComponent(context, "openssl")) return;
    const folder = temporaryFolder(context);
    const words =
      "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 1 -subj /CN=localhost";
    execFileSync("openssl", words.split(" "), { cwd: folder, stdio: "ignore" });
    copyFileSync(fixture("secure.cjs"), join(folder, "secure.cjs"));
    const log = join(folder, "access.log");
    const args = ["secure.cjs", "-b", "127.0.0.1:0", "--access-logfile", log];
    const command = startCommand(context, args, { cwd: folder });
    await command.ready();
    assert.match(command.stderr, /Using worker: https\.Server of port 8443/);
    const socket = connectTls({ port: await command.port(), host: "127.0.0.1", rejectUnauthorized: false });
    await once(socket, "secureConnect");
    socket.end("GET /tls HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let text = "";
    for await (const piece of socket.setEncoding("utf8")) text += piece;
    assert.match(text, /secure true$/);
    await command.end();
    assert.match(execFileSync("cat", [log], { encoding: "utf8" }), /"GET \/tls HTTP\/1\.1" 200 /);
  });

  test("an HTTP/2 server, whose streams a reload lets finish", async (context) => {
    const { command, target } = await serve(context, "http2.cjs");
    assert.match(command.stderr, /Using worker: Http2Server of port 8080/);
    const session = connectHttp2(`http://127.0.0.1:${target.port}`);
    context.after(() => session.destroy());
    const [worker] = command.workers();
    const stream = session.request({ ":path": "/slow" });
    let text = "";
    stream.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
    });
    const over = once(stream, "close");
    // A second stream that is answered shows that the first one has arrived.
    const quick = session.request({ ":path": "/" });
    quick.resume();
    await once(quick, "close");
    command.kill("SIGHUP");
    await over;
    assert.equal(text, `http 2.0 ${worker}`);
    await once(session, "close");
    await command.ready(2);
  });
});

describe("a program that is none", { concurrency: 4 }, () => {
  test("neither exports nor listens, and has nothing left to do", async (context) => {
    const command = startCommand(context, [fixture("nothing.cjs"), "-b", "127.0.0.1:0"]);
    assert.equal((await command.ended()).code, 4);
    assert.match(command.stderr, /not an app: .*; nor does .*nothing\.cjs make a server listen/);
  });

  test("has not listened within the boot timeout", async (context) => {
    const args = [fixture("connecting.cjs"), "-b", "127.0.0.1:0", "--boot-timeout", "8s"];
    const command = startCommand(context, args);
    assert.equal((await command.ended()).code, 3);
    assert.match(command.stderr, /connecting\.cjs exports no app, and has not made a server listen/);
  });

  test("forks workers", async (context) => {
    const command = startCommand(context, [fixture("forks.cjs"), "-b", "127.0.0.1:0"]);
    assert.equal((await command.ended()).code, 4);
    assert.match(command.stderr, /cluster\.fork\(\) is refused: tsgun starts the workers/);
  });

  test("--interface server is for programs that listen", async (context) => {
    const command: RunningCommand = startCommand(context, [
      `${join(FIXTURES, "pool/echo.mjs")}`,
      "-b",
      "127.0.0.1:0",
      "--interface",
      "server",
    ]);
    assert.equal((await command.ended()).code, 4);
    assert.match(command.stderr, /--interface server needs an app that listens/);
  });
});

test("the port that a program asks for may be in use: only tsgun's address is bound", async (context) => {
  const occupant = createServer().listen(3000, "127.0.0.1");
  occupant.on("error", () => {});
  context.after(() => occupant.close());
  const { target } = await serve(context, "koa.mjs");
  assert.equal((await ask(target)).text, "Hello Koa");
});
