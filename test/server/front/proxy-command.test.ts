/** The PROXY protocol through the built command: whom apps of each kind see, and which connections are refused. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { ask } from "../../support/ask.ts";
import {
  FIXTURES,
  type RunningCommand,
  startCommand,
  temporaryFolder,
  until,
} from "../../support/command.ts";
import { readMetrics, sumOf } from "../../support/metrics-text.ts";
import { binaryHeader, inet, LOCAL, PROXY, textHeader, vector } from "../../support/proxy-headers.ts";

const APP = `${join(FIXTURES, "proxy/ends.mjs")}:app`;
const LISTENER = `${join(FIXTURES, "proxy/ends.mjs")}:server`;
const LISTENS = join(FIXTURES, "proxy/listens.mjs");
const SPEAKS_FIRST = join(FIXTURES, "proxy/speaks-first.mjs");

const GET = "GET / HTTP/1.0\r\n\r\n";
const DEADLINE_MS = 60_000;

/** Sends pieces, each once the one before has gone, and resolves with all that comes until the connection closes. */
async function exchange(where: number | string, ...pieces: (string | Buffer)[]): Promise<string> {
  const socket = typeof where === "number" ? connect(where, "127.0.0.1") : connect(where);
  // A refusal may reach the client as a reset.
  socket.setNoDelay(true).on("error", () => {});
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
  });
  const closed = new Promise((resolve, reject) => {
    socket.on("close", resolve);
    AbortSignal.timeout(DEADLINE_MS).onabort = () => reject(new Error(`still open after ${text}`));
  });
  for (const piece of pieces) {
    const bytes = typeof piece === "string" ? Buffer.from(piece, "latin1") : piece;
    await new Promise((resolve) => socket.write(bytes, resolve));
  }
  await closed;
  return text;
}

type Told = Record<string, unknown>;

/** The app's answer. */
async function told(where: number | string, ...pieces: (string | Buffer)[]): Promise<Told> {
  const answer = await exchange(where, ...pieces);
  assert.match(answer, /^HTTP\/1\.1 200 /);
  return JSON.parse(answer.slice(answer.indexOf("\r\n\r\n"))) as Told;
}

interface Stage {
  readonly command: RunningCommand;
  readonly port: number;
  readonly socket: string;
  readonly log: string;
  readonly control: string;
}

/** How many requests have been counted as `scheme`. */
async function countOf(scheme: "http" | "https", control: string): Promise<number> {
  const { text } = await ask({ path: control }, "/metrics");
  const name = "http_server_request_duration_seconds_count";
  return sumOf(readMetrics(text).samples, name, new RegExp(`url_scheme="${scheme}"`));
}

/** A balancer's word on the TLS that it has ended. */
const SSL = vector(0x20, Buffer.concat([Buffer.from([1, 0, 0, 0, 0]), vector(0x21, "TLSv1.3")]));

async function serve(context: TestContext, app: string, ...args: readonly string[]): Promise<Stage> {
  const folder = temporaryFolder(context);
  const socket = join(folder, "app.sock");
  const log = join(folder, "access.log");
  const binds = ["-b", "127.0.0.1:0", "-b", `unix:${socket}`];
  const logging = ["--access-logfile", log, "--access-logformat", "%(h)s %(U)s %(s)s"];
  const control = join(folder, "c.ctl");
  const command = startCommand(context, [app, ...binds, ...logging, "--control-socket", control, ...args]);
  await command.ready();
  return { command, port: await command.port(), socket, log, control };
}

const block = inet("192.0.2.7", "198.51.100.1", 50_000, 443);
const CLIENT = { family: "ipv4", address: "192.0.2.7", port: 50_000 };
const DESTINATION = { family: "ipv4", address: "198.51.100.1", port: 443 };

// The tests mostly wait for their servers to start.
describe("the PROXY protocol", { concurrency: true }, () => {
  test("a gateway app sees the client in every respect", async (context) => {
    const { command, port, socket, log, control } = await serve(
      context,
      APP,
      "--proxy-protocol",
      "--header-timeout=1s",
    );
    const one = await told(port, `${textHeader("192.0.2.7", 50_000, "198.51.100.1")}${GET}`);
    assert.deepEqual([one.remote, one.peer, one.local], [CLIENT, CLIENT, DESTINATION]);
    const { balancer, ...proxy } = one.proxy as Told & { balancer: Told };
    assert.deepEqual(proxy, { version: 1, tlvs: [] });
    assert.equal(balancer.address, "127.0.0.1");

    // Version 2 over a Unix socket, byte by byte, with what the balancer says of TLS.
    const header = binaryHeader(PROXY, 0x11, Buffer.concat([block, vector(5, "id-1"), SSL]));
    const bytes = [...header, ...Buffer.from(GET)].map((byte) => Buffer.of(byte));
    const two = await told(socket, ...bytes);
    assert.deepEqual([two.remote, two.local, two.scheme], [CLIENT, DESTINATION, "https"]);
    assert.deepEqual((two.proxy as Told).balancer, { family: "unix", address: "", port: 0 });
    assert.deepEqual((two.proxy as { tlvs: unknown[] }).tlvs[0], [5, "id-1"]);

    for (const scheme of ["http", "https"] as const)
      await until(`${scheme} is counted`, async () => (await countOf(scheme, control)) === 1);

    // The balancer's own requests, and those of which it knows nothing.
    for (const [version, start] of [
      [1, "PROXY UNKNOWN\r\n"],
      [2, binaryHeader(LOCAL, 0, Buffer.alloc(0))],
    ] as const) {
      const own = await told(port, start, GET);
      assert.equal((own.remote as Told).address, "127.0.0.1");
      assert.equal((own.proxy as Told).version, version);
    }

    // Forwarded fields are trusted from the told peer, not from the balancer.
    const forwarded = "GET / HTTP/1.0\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n";
    const stranger = await told(port, textHeader("192.0.2.7"), forwarded);
    assert.equal((stranger.remote as Told).address, "192.0.2.7");
    const proxied = await told(port, textHeader("127.0.0.1"), forwarded);
    assert.equal((proxied.remote as Told).address, "203.0.113.9");

    // Once per connection, for all its requests.
    const kept = `GET /kept HTTP/1.1\r\nHost: x\r\n\r\n`;
    const answers = await exchange(
      port,
      textHeader("192.0.2.8"),
      kept,
      kept,
      kept.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
    );
    assert.equal(answers.match(/"remote":\{"family":"ipv4","address":"192\.0\.2\.8"/g)?.length, 3);
    await until(
      "all lines are there",
      () => readFileSync(log, "utf8").match(/^192\.0\.2\.8 \/kept 200$/gm)?.length === 3,
    );
    assert.match(readFileSync(log, "utf8"), /^192\.0\.2\.7 \/ 200$/m);
    assert.match(
      await exchange(port, textHeader("192.0.2.7"), textHeader("192.0.2.8"), GET),
      /^HTTP\/1\.1 400 /,
    );

    await command.line(/WARNING.* 192\.0\.2\.7 sent a PROXY header, and has sent one already/);

    // A client that sends no header, or only a part of one, is refused.
    assert.equal(await exchange(port, GET), "");
    assert.equal(await exchange(socket, "\x16\x03\x01"), "");
    await command.line(/Refused a connection: the connection from .* does not begin with a PROXY header/);
    assert.equal(await exchange(port, header.subarray(0, 20)), "");
    assert.equal(await exchange(port), "");
    await command.line(/Refused a connection: the client sent no complete PROXY header/);
    // After the header the connection is idle, and kept as such.
    assert.match(await exchange(port, textHeader("192.0.2.7"), "GET /half"), /^HTTP\/1\.1 408 /);
  });

  test("a peer that is not allowed is its own client, and is never believed", async (context) => {
    const args = ["--proxy-protocol=v2", "--proxy-allow-from=unix,10.0.0.0/8"];
    const { command, port, socket } = await serve(context, APP, ...args);
    const plain = await told(port, GET);
    assert.deepEqual([(plain.remote as Told).address, plain.proxy], ["127.0.0.1", undefined]);
    const header = binaryHeader(PROXY, 0x11, block);
    assert.match(await exchange(port, Buffer.concat([header, Buffer.from(GET)])), /^HTTP\/1\.1 400 /);
    assert.match(await exchange(port, textHeader("192.0.2.7"), GET), /^HTTP\/1\.1 400 /);
    await command.line(/WARNING.* 127\.0\.0\.1 sent a PROXY header, and is not among --proxy-allow-from/);
    assert.deepEqual((await told(socket, header, GET)).remote, CLIENT);
    assert.equal(await exchange(socket, textHeader("192.0.2.7"), GET), "");
  });

  for (const [what, app, ...more] of [
    ["a node listener", LISTENER, "--interface=node"],
    ["a server that the app made", LISTENS],
  ] as const)
    test(`${what} sees the client as the socket's remote end`, async (context) => {
      const { port, socket, log, control } = await serve(
        context,
        app,
        "--proxy-protocol=auto",
        "--header-timeout=1s",
        ...more,
      );
      const seen = {
        remoteAddress: "192.0.2.7",
        remotePort: 50_000,
        remoteFamily: "IPv4",
        localAddress: "198.51.100.1",
        localPort: 443,
      };
      const header = binaryHeader(PROXY, 0x11, block);
      assert.deepEqual(await told(port, header, GET), seen);
      assert.deepEqual(await told(socket, Buffer.concat([header, Buffer.from(GET)])), seen);
      const six = await told(port, ...`${textHeader("2001:DB8::7")}${GET}`);
      assert.deepEqual([six.remoteAddress, six.remoteFamily], ["2001:db8::7", "IPv6"]);
      assert.equal(
        (await told(port, binaryHeader(LOCAL, 0, Buffer.alloc(0)), GET)).remoteAddress,
        "127.0.0.1",
      );
      await until("the lines are there", () => {
        const text = readFileSync(log, "utf8");
        return /^192\.0\.2\.7 \/ 200$/m.test(text) && /^2001:db8::7 \/ 200$/m.test(text);
      });
      const overTls = binaryHeader(PROXY, 0x11, Buffer.concat([block, SSL]));
      assert.deepEqual(await told(port, overTls, GET), seen);
      await until("it is counted", async () => (await countOf("https", control)) === 1);
      assert.equal(await exchange(port, GET), "");
      // A connection on which nothing follows the header is idle; one with half a head is not.
      const quiet = exchange(port, header);
      assert.match(await exchange(port, header, "GET /half"), /^HTTP\/1\.1 408 /);
      assert.equal(await Promise.race([quiet, "still open"]), "still open");
    });

  test("a server that speaks first waits for the header, and not without one", async (context) => {
    const { port, socket } = await serve(
      context,
      SPEAKS_FIRST,
      "--proxy-protocol=v1",
      "--proxy-allow-from=unix",
    );
    const answer = await exchange(socket, textHeader("192.0.2.7"), "hello");
    assert.match(answer, /^\{"remoteAddress":"192\.0\.2\.7".*\}\nheard hello$/);
    assert.match(await exchange(port, "hello"), /^\{"remoteAddress":"127\.0\.0\.1".*\}\nheard hello$/);
  });

  for (const [what, ...app] of [
    ["a gateway app", APP],
    ["a node listener", LISTENER, "--interface=node"],
  ] as const)
    test(`${what} without it says why a header is refused`, async (context) => {
      const [spec, ...more] = app;
      const { command, port } = await serve(context, spec, ...more);
      const header = binaryHeader(PROXY, 0x11, block);
      assert.match(await exchange(port, header, GET), /^HTTP\/1\.1 400 /);
      await command.line(/WARNING.* 127\.0\.0\.1 sent a PROXY header, and --proxy-protocol is off/);
      assert.match(await exchange(port, textHeader("192.0.2.7"), GET), /^HTTP\/1\.1 400 /);
    });

  test("a reload turns it on and off", async (context) => {
    const folder = temporaryFolder(context);
    const write = (proxyProtocol: string | boolean): void =>
      writeFileSync(
        join(folder, "tsgun.config.json"),
        JSON.stringify({
          app: APP,
          bind: "127.0.0.1:0",
          controlSocket: false,
          proxyProtocol,
          proxyAllowFrom: "*",
        }),
      );
    write("off");
    const command = startCommand(context, [], { cwd: folder });
    await command.ready();
    const port = await command.port();
    assert.equal((await told(port, GET)).proxy, undefined);
    write(true);
    command.kill("SIGHUP");
    await command.ready(2);
    assert.deepEqual((await told(port, textHeader("192.0.2.7"), GET)).peer, { ...CLIENT });
    assert.equal(await exchange(port, GET), "");
  });
});
