/** The access log through the built command: exactly one line for each request, however it ended. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { ask } from "../support/ask.ts";
import { until } from "../support/command.ts";
import { APPS, head, type Line, raw, serve, told } from "../support/logged-app.ts";

const UPGRADE = [
  "Connection: upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

// The tests mostly wait, for their servers to start and stop.
for (const app of APPS) describe(app.what, { concurrency: 3 }, () => testLinesOf(app));

function testLinesOf({ what, spec, ours }: (typeof APPS)[number]): void {
  test(`${what}: answered, streamed, without content, thrown, truncated, timed out`, async (context) => {
    const { command, port, lines, line } = await serve(context, spec, "--request-timeout", "1s");
    await ask({ port }, "/plain?a=1");
    assert.deepEqual(told(await line("/plain?a=1")), ["GET", "/plain?a=1", 200, 6, "complete"]);
    await ask({ port }, "/stream?300");
    assert.deepEqual(told(await line("/stream?300")), ["GET", "/stream?300", 200, 3000, "complete"]);
    await raw(port, head("/plain", "Connection: close").replace("GET", "HEAD"));
    assert.deepEqual(told(await line("/plain")), ["HEAD", "/plain", 200, 0, "complete"]);
    await ask({ port }, "/unmodified");
    assert.deepEqual(told(await line("/unmodified")), ["GET", "/unmodified", 304, 0, "complete"]);
    await ask({ port }, "/throws");
    assert.deepEqual(told(await line("/throws")).toSpliced(3, 1), ["GET", "/throws", 500, "complete"]);
    await raw(port, head("/truncated"));
    assert.deepEqual(told(await line("/truncated")), ["GET", "/truncated", 200, 30, "truncated"]);
    await raw(port, head("/endless"), /0123456789.*0123456789/s);
    assert.deepEqual(told(await line("/endless")), ["GET", "/endless", 200, 20, "client-gone"]);
    await raw(port, head("/endless?503"), /0123456789.*0123456789/s);
    assert.deepEqual(told(await line("/endless?503")), ["GET", "/endless?503", 503, 20, "client-gone"]);
    assert.equal((await ask({ port }, "/never")).status, 503);
    const { duration, ...never } = await line("/never");
    assert.deepEqual(told(never).toSpliced(3, 1), ["GET", "/never", 503, "timeout"]);
    assert.ok((duration as number) >= 500, `it took ${duration} ms`);
    assert.equal((await ask({ port }, "/body", "content")).text, "7");
    assert.deepEqual(told(await line("/body")), ["POST", "/body", 200, 1, "complete"]);
    const { time, pid, slot, id, remote, protocol, userAgent, traceparent } = await line("/body");
    assert.ok(Math.abs(Date.parse(time as string) - Date.now()) < 60_000);
    assert.deepEqual(
      [pid, slot, remote, protocol, userAgent],
      [command.workers()[0], 1, "127.0.0.1", "HTTP/1.1", null],
    );
    assert.match(id as string, /./);
    assert.equal(traceparent, null);
    assert.equal((await command.end()).code, 0);
    assert.equal(lines().length, 10);
  });

  test(`${what}: a client that leaves before its response is 499`, async (context) => {
    const { command, port, lines, line } = await serve(context, spec);
    const socket = connect({ port, host: "127.0.0.1" });
    socket.write(head("/never"));
    await ask({ port }, "/plain");
    socket.destroy();
    assert.deepEqual(told(await line("/never")), ["GET", "/never", 499, 0, "client-gone"]);
    assert.equal((await command.end()).code, 0);
    assert.equal(lines().length, 2);
  });

  test(`${what}: refused requests, with the known fields`, async (context) => {
    const limits = [
      "--limit-request-line",
      "60",
      "--limit-request-field-size",
      "50",
      "--limit-request-body",
      "9",
    ];
    const { command, port, lines, line } = await serve(context, spec, ...limits, "--header-timeout", "1s");
    await raw(port, head("/no-host").replace("Host: x\r\n", ""));
    assert.deepEqual(told(await line("/no-host")).toSpliced(3, 1), ["GET", "/no-host", 400, "refused"]);
    const long = `/${"l".repeat(70)}`;
    await raw(port, head(long));
    assert.deepEqual(told(await line(long)).toSpliced(3, 1), ["GET", long, 414, "refused"]);
    await raw(port, head("/field", `X: ${"y".repeat(60)}`));
    assert.deepEqual(told(await line("/field")).toSpliced(3, 1), ["GET", "/field", 431, "refused"]);
    await raw(port, head("/large", "Content-Length: 10", "Connection: close").replace("GET", "POST"));
    assert.deepEqual(told(await line("/large")).toSpliced(3, 1), ["POST", "/large", 413, "refused"]);
    await raw(port, head("/wish", "Expect: wonders", "Connection: close"));
    assert.deepEqual(told(await line("/wish")).toSpliced(3, 1), ["GET", "/wish", 417, "refused"]);
    await raw(port, 'GET /split"\x7f\x80 here HTTP/1.1\r\nHost: x\r\n\r\n');
    const split = await line('/split"\x7f\x80 here');
    assert.deepEqual(told(split).toSpliced(3, 1), ["GET", '/split"\x7f\x80 here', 400, "refused"]);
    await raw(port, "GET /half HTTP/1.1\r\nHo");
    await until("the line of the slow head is there", () => lines().some(({ status }) => status === 408));
    const slow = lines().find(({ status }) => status === 408) as Line;
    assert.equal(slow.end, "timeout");
    if (ours) assert.deepEqual([slow.method, slow.target], ["GET", "/half"]);
    // A connection without a request has no line.
    connect({ port, host: "127.0.0.1" }).destroy();
    assert.equal((await command.end()).code, 0);
    assert.equal(lines().length, 7);
  });

  test(`${what}: an upgrade is logged when it is answered`, async (context) => {
    const { command, port, lines, line } = await serve(context, spec);
    const answer = await raw(port, head("/socket", ...UPGRADE), /101/);
    assert.match(answer, /^HTTP\/1\.1 101 /);
    assert.deepEqual(told(await line("/socket")), ["GET", "/socket", 101, 0, "upgraded"]);
    await raw(port, head("/refuse-upgrade", ...UPGRADE, "Connection: close"), /403/);
    assert.equal((await line("/refuse-upgrade")).status, 403);
    assert.equal((await line("/refuse-upgrade")).end, "complete");
    if (ours) {
      await raw(port, head("/own-upgrade", ...UPGRADE), /101/);
      assert.deepEqual(told(await line("/own-upgrade")), ["GET", "/own-upgrade", 101, 0, "upgraded"]);
    }
    assert.equal((await command.end()).code, 0);
    assert.equal(lines().length, ours ? 3 : 2);
  });

  test(`${what}: a stuck worker loses neither its batched lines nor those of its requests in flight`, async (context) => {
    const { command, port, lines, line } = await serve(context, spec, "--timeout", "2s");
    const socket = connect({ port, host: "127.0.0.1" });
    socket.on("error", () => {});
    const waiting = once(socket, "close");
    socket.write(head("/endless", "User-Agent: waits"));
    await once(socket, "data");
    // Lines that are batched: one is written at once, the others wait for a turn of the loop that does not come.
    const pipelined = [1, 2, 3].map((number) => head(`/plain?${number}`)).join("");
    const stuck = raw(port, pipelined + head("/stuck", "User-Agent: stuck"));
    await command.line(/WORKER TIMEOUT/);
    await Promise.all([waiting, stuck]);
    assert.deepEqual(told(await line("/stuck")), ["GET", "/stuck", 502, 0, "worker-killed"]);
    assert.equal((await line("/stuck")).userAgent, "stuck");
    assert.ok(((await line("/stuck")).duration as number) >= 1500);
    assert.deepEqual(told(await line("/endless")), ["GET", "/endless", 200, 20, "worker-killed"]);
    assert.equal((await line("/endless")).userAgent, "waits");
    // Node holds answers back until those ahead of them are out.
    for (const number of [1, 2, 3]) {
      const { status, end } = await line(`/plain?${number}`);
      assert.deepEqual([status, end], [200, ours ? "complete" : "worker-killed"]);
    }
    await command.end();
    assert.equal(lines().length, 5);
  });

  test(`${what}: the last lines of a worker that crashes, quits or is killed while draining are written`, async (context) => {
    const { command, port, line, lines } = await serve(context, spec, "--graceful-timeout", "1s");
    const crash = raw(port, head("/plain?before") + head("/crash"));
    await crash;
    assert.deepEqual(told(await line("/crash")), ["GET", "/crash", 502, 0, "worker-exit"]);
    await line("/plain?before");
    await until("there is a worker again", async () => (await ask({ port }, "/plain?again")).status === 200);
    const cut = raw(port, head("/endless"));
    await until("it has begun", async () => (await ask({ port }, "/plain")).status === 200);
    command.kill("SIGHUP");
    await command.ready(2);
    await cut;
    assert.deepEqual(told(await line("/endless")), ["GET", "/endless", 200, 20, "worker-exit"]);
    const last = raw(port, head("/endless?200"));
    await until("it has begun", async () => (await ask({ port }, "/plain")).status === 200);
    await command.end("SIGQUIT");
    await last;
    assert.deepEqual(told(await line("/endless?200")), ["GET", "/endless?200", 200, 20, "worker-exit"]);
    const targets = lines().map(({ target }) => target);
    for (const target of ["/crash", "/endless", "/endless?200", "/plain?before"]) {
      assert.equal(targets.filter((other) => other === target).length, 1, target);
    }
  });

  test(`${what}: a client cannot forge a line in any format`, async (context) => {
    const { command, port, lines } = await serve(context, spec);
    const forged = '127.0.0.1 - - [22/Nov/2026:22:15:18 +0000] "GET /forged HTTP/1.1" 200 1 "-" "-"';
    const nasty = [
      `x" 200 1\t${forged}`,
      "\\n\\",
      "\x1b[31m",
      "\x85\xa0\xff",
      '{"end":"complete"}',
      "\x00",
      "\n",
      "\r",
    ];
    const targets = ["/%0a%22", '/"', "/\\", "/\xe9", "/a\nb", `/\r${forged}`, "/\x00"];
    const requests = [
      ...targets.map((target) => head(target, "Connection: close")),
      ...nasty.flatMap((value) => [
        head("/ua", "Connection: close", `User-Agent: a${value}b`),
        head("/referer", "Connection: close", `Referer: a${value}b`),
        head("/user", "Connection: close", `Authorization: Basic ${btoa(`${value}:secret`)}`),
      ]),
    ];
    for (const request of requests) await raw(port, request);
    assert.equal((await command.end()).code, 0);
    assert.equal(lines().length, requests.length);
    const users = lines().map(({ user }) => user);
    for (const value of nasty) assert.ok(users.includes(value.split(":")[0]), JSON.stringify(value));
    const agents = lines().map(({ userAgent }) => userAgent);
    assert.ok(agents.includes("a\x85\xa0\xffb"));

    const text = await serve(context, spec, "--access-logformat", "combined");
    for (const request of requests) await raw(text.port, request);
    assert.equal((await text.command.end()).code, 0);
    const written = text.text().split("\n");
    assert.equal(written.pop(), "");
    assert.equal(written.length, requests.length);
    for (const line of written) {
      assert.match(
        line,
        /^127\.0\.0\.1 - [!#-~]+ \[[^\]"]+\] "[ !#-~]*" \d{3} [\d-]+ "[ !#-~]*" "[ !#-~]*"$/,
      );
    }
  });

  test(`${what}: all of gunicorn's atoms`, async (context) => {
    const atoms =
      "%(h)s %(l)s %(u)s %(t)s %(m)s %(U)s %(q)s %(H)s %(s)s %(B)s %(b)s %(T)s %(D)s %(M)s %(L)s %(p)s";
    const quoted =
      '"%(r)s" "%(f)s" "%(a)s" "%({X-Trace}i)s" "%({x-kind}o)s" "%({none}i)s" "%({COLOUR}e)s" 100%%';
    const format = ["--access-logformat", `${atoms} ${quoted}`, "-e", "COLOUR=blue"];
    const { command, port, text } = await serve(context, spec, ...format);
    const [pid] = command.workers();
    const fields = [
      "Referer: /from",
      "User-Agent: a b",
      "x-trace: 7",
      `Authorization: Basic ${btoa("me:x")}`,
    ];
    await raw(port, head("/plain?a=1&b", "Connection: close", ...fields));
    await raw(port, head("/unmodified", "Connection: close"));
    assert.equal((await command.end()).code, 0);
    const [first = "", second = "", ...more] = text().split("\n");
    const time = String.raw`\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] GET`;
    const spent = String.raw`\d+ \d+ \d+ \d+\.\d{6} <${pid}>`;
    assert.match(
      first,
      new RegExp(
        String.raw`^127\.0\.0\.1 - me ${time} /plain a=1&b HTTP/1\.1 200 6 6 ${spent} ` +
          String.raw`"GET /plain\?a=1&b HTTP/1\.1" "/from" "a b" "7" "plain" "-" "blue" 100%$`,
      ),
    );
    assert.match(
      second,
      new RegExp(String.raw`^127\.0\.0\.1 - - ${time} /unmodified  HTTP/1\.1 304 0 - ${spent} `),
    );
    assert.deepEqual(more, [""]);
  });

  test(`${what}: the client behind a trusted proxy, its id and its trace`, async (context) => {
    const fields = [
      "X-Forwarded-For: 198.51.100.1, 203.0.113.7",
      "X-Request-ID: given-1",
      "traceparent: 00-ab-cd-01",
    ];
    const trusting = await serve(context, spec, "--forwarded-allow-ips", "127.0.0.1");
    await raw(trusting.port, head("/plain", "Connection: close", ...fields));
    const { remote, id, traceparent } = await trusting.line("/plain");
    assert.deepEqual([remote, id, traceparent], ["203.0.113.7", "given-1", "00-ab-cd-01"]);
    const wary = await serve(context, spec, "--forwarded-allow-ips", "192.0.2.1");
    await raw(wary.port, head("/plain", "Connection: close", ...fields));
    const other = await wary.line("/plain");
    assert.deepEqual([other.remote, other.traceparent], ["127.0.0.1", null]);
    assert.notEqual(other.id, "given-1");
  });
}
