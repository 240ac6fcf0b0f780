/** Requests from clients cause no line in the error log of the real command, for any interface of the app. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { startCommand } from "../support/command.ts";

/** Requests without the end of their head, and the status that a fetch app's client gets. */
const REQUESTS: readonly (readonly [head: string, status: number])[] = [
  ["TRACE / HTTP/1.1\r\nHost: a", 501],
  ["TRACK / HTTP/1.1\r\nHost: a", 501],
  ["trace / HTTP/1.1\r\nHost: a", 501],
  ["TRACE / HTTP/1.0", 501],
  ["CONNECT a:1 HTTP/1.1\r\nHost: a", 501],
  ["CONNECT / HTTP/1.1\r\nHost: a", 400],
  ["!#$%&'*+-.^_`|~ / HTTP/1.1\r\nHost: a", 200],
  // Newer versions of Node accept it as a host.
  ["GET / HTTP/1.1\r\nHost: xn--a", URL.canParse("http://xn--a") ? 200 : 400],
  ...["999.999.999.999", "1.2.3.4.5", "0x100000000", "a%00b", "a%2Fb", "%EF%BF%BD", ":80"].map(
    (host) => [`GET / HTTP/1.1\r\nHost: ${host}`, 400] as const,
  ),
  ...["%zz", "a@b", "[::1", "[v1.a]", "a:99999", "a b", "a/b", "a\\b"].map(
    (host) => [`GET / HTTP/1.1\r\nHost: ${host}`, 400] as const,
  ),
  ...["", "a:", "..", "a..b", "!$&'()*+,;=", "[::ffff:1.2.3.4]"].map(
    (host) => [`GET / HTTP/1.1\r\nHost: ${host}`, 200] as const,
  ),
  ["GET http://999.999.999.999/ HTTP/1.1\r\nHost: a", 400],
  ["GET http://u:p@a/ HTTP/1.1\r\nHost: a", 400],
  ["GET http:// HTTP/1.1\r\nHost: a", 400],
  ["GET mailto:a HTTP/1.1\r\nHost: a", 400],
  ["GET * HTTP/1.1\r\nHost: a", 400],
  ["OPTIONS * HTTP/1.1\r\nHost: a", 200],
  ["GET //a.example/x HTTP/1.1\r\nHost: a", 200],
  ['GET /%zz%c0|<>"\\..\\?%zz HTTP/1.1\r\nHost: a', 200],
  ["GET / HTTP/1.1\r\nHost: a\r\nX-A: \xff\x80\t\xe9", 200],
  ["GET / HTTP/1.1\r\nHost: a\r\n__proto__: x\r\nconstructor: y", 200],
  ["GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: upgrade, close", 200],
  ["GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0", 200],
];

/** Content of requests that fetch gives no body, and of others. */
const CONTENTS = ["GET", "HEAD", "DELETE", "FOO", "options"].flatMap((method) => [
  `${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello`,
  `${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
]);

/** Sends bytes and returns everything received until the server closes the connection. */
function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1").setEncoding("latin1").setTimeout(20_000);
    let received = "";
    socket.on("data", (text: string) => {
      received += text;
    });
    socket.on("timeout", () => socket.destroy(new Error(`no end of the answer to ${bytes}`)));
    socket.on("error", reject).on("close", () => resolve(received));
    socket.write(bytes, "latin1");
  });
}

const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]);

for (const [app, prefix] of [
  ["fetch.mjs", ""],
  ["gateway.mjs:handler", ""],
  ["gateway.mjs:handler", "/fetch"],
  ["listener.cjs", ""],
] as const) {
  test(`clients cannot write to the error log of ${app}${prefix}`, async (t) => {
    const command = startCommand(t, [`strangers/${app}`, "-w", "1", "-b", "127.0.0.1:0"]);
    await command.ready();
    const port = await command.port();
    const before = command.stderr;
    const answers = await Promise.all([
      ...REQUESTS.map(async ([head, status]) => {
        const sent = head.replace(/^(\S+) \/ /, `$1 ${prefix}/ `);
        const asks = sent.includes("Connection:") ? "" : "\r\nConnection: close";
        const answer = await exchange(port, `${sent}${asks}\r\n\r\n`);
        if (app === "fetch.mjs") assert.deepEqual([head, statusOf(answer)], [head, status]);
        return answer;
      }),
      ...CONTENTS.map((bytes) => exchange(port, bytes.replace(" / ", ` ${prefix}/ `))),
    ]);
    const failed = answers.filter((answer) => statusOf(answer) === 500);
    assert.deepEqual(failed, []);
    assert.equal((await command.end()).code, 0);
    const lines = command.stderr.slice(before.length).split("\n");
    assert.deepEqual(
      lines.filter((line) => /\[(?:ERROR|CRITICAL|WARNING)\]|^\s+at /.test(line)),
      [],
    );
  });
}
