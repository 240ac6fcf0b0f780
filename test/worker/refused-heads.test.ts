/** Heads beyond a limit: what nginx lets pass is accepted, and the log has a line, with the setting, about what is refused. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { makeConfig } from "../../src/config/config.ts";
import { headLimitReporter } from "../../src/worker/refused-heads.ts";
import { startCommand, temporaryFolder } from "../support/command.ts";

test("each limit is logged once a minute, with the number of suppressed lines", () => {
  const lines: string[] = [];
  let now = 0;
  const warning = (message: string): void => void lines.push(message);
  const tell = headLimitReporter(makeConfig([]), { warning }, () => now);
  for (let count = 0; count < 5; count++) tell("requestLine");
  tell("fields");
  now = 59_999;
  tell("requestLine");
  assert.deepEqual(lines, [
    "Refused with 414: a request line is longer than 8190 bytes; if such requests are legitimate, raise --limit-request-line",
    "Refused with 431: a request has more than 100 header fields; if such requests are legitimate, raise --limit-request-fields",
  ]);
  now = 60_000;
  tell("requestLine");
  assert.match(lines[2] ?? "", /^Refused with 414: .* \(5 more since the last such line\)$/);
  now = 120_000;
  tell("requestLine");
  assert.match(lines[3] ?? "", /raise --limit-request-line$/);
});

const APPS = {
  gateway: 'export const handler = (_, respond) => respond(200, null, "ok");\n',
  node: 'import { createServer } from "node:http";\nexport default createServer((_, response) => response.end("ok"));\n',
};

/** The first line of the answer to a GET whose request line has `line` bytes. */
function ask(port: number, line: number, fields = "", method = "GET"): Promise<string> {
  const target = `/${"a".repeat(line - `${method} / HTTP/1.1`.length)}`;
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let received = "";
    socket.setEncoding("latin1").on("data", (text: string) => {
      received += text;
    });
    socket.on("error", reject).on("close", () => resolve(received.split("\r\n", 1)[0] as string));
    socket.write(`${method} ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${fields}\r\n`);
  });
}

for (const [kind, source] of Object.entries(APPS)) {
  test(`a ${kind} app gets what nginx lets pass by default, and the log says what is refused`, async (context) => {
    const folder = temporaryFolder(context);
    writeFileSync(join(folder, "app.mjs"), source);
    const args = ["app.mjs", "-b", "127.0.0.1:0", "--no-control-socket"];
    const command = startCommand(context, args, { cwd: folder });
    await command.ready();
    const port = await command.port();
    assert.equal(await ask(port, 8190), "HTTP/1.1 200 OK");
    // All cookies of an HTTP/2 request, in one field.
    assert.equal(await ask(port, 14, `Cookie: ${"c".repeat(32_760)}\r\n`), "HTTP/1.1 200 OK");
    const sized = Array.from({ length: 98 }, (_, index) => `X-${index}: ${"v".repeat(300)}\r\n`).join("");
    assert.equal(await ask(port, 14, sized), "HTTP/1.1 200 OK");
    assert.deepEqual(command.lines(/Refused/), []);

    for (let count = 0; count < 3; count++) assert.match(await ask(port, 8191), /^HTTP\/1\.1 414 /);
    assert.match(await ask(port, 14, `Cookie: ${"c".repeat(32_761)}\r\n`), /^HTTP\/1\.1 431 /);
    assert.match(await ask(port, 14, "X: 1\r\n".repeat(99)), /^HTTP\/1\.1 431 /);
    await command.line(/Refused with 431: a request has more than 100 header fields/);
    assert.equal(command.lines(/\[WARNING\] Refused with 414: .* raise --limit-request-line$/).length, 1);
    assert.equal(command.lines(/\[WARNING\] Refused with 431: .* raise --limit-request-field/).length, 2);
  });
}
