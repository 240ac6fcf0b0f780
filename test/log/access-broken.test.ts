/** The access log through the built command: one line for each request of a connection that fails. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { ask } from "../support/ask.ts";
import { cleanUp, until } from "../support/command.ts";
import { APPS, head, raw, serve, told } from "../support/logged-app.ts";

/** Sends the parts on one connection, each once those before it have been answered. */
async function inParts(
  context: TestContext,
  port: number,
  ...parts: string[]
): Promise<{ socket: Socket; closed: Promise<unknown>; text(): string }> {
  const socket = connect({ port, host: "127.0.0.1" });
  cleanUp(context, () => socket.destroy());
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
  });
  socket.on("error", () => {});
  // The server may close it before `closed` is awaited.
  const closed = new Promise((resolve) => socket.once("close", resolve));
  let sent = 0;
  for (const part of parts) {
    await until("what was sent is answered", () => text.split(/HTTP\/1\.1 200/).length > sent);
    socket.write(part, "latin1");
    sent += 1;
  }
  return { socket, closed, text: () => text };
}

const post = (target: string, ...fields: string[]): string => head(target, ...fields).replace("GET", "POST");

for (const { what, spec, ours } of APPS) {
  test(`${what}: a body that breaks after its response is neither logged as a request nor shown`, async (context) => {
    const { command, port, lines, text } = await serve(context, spec);
    const begun = [
      `${post("/plain?chunks", "Transfer-Encoding: chunked")}3\r\nabc\r\n`,
      "password=1\r\n\r\n",
    ];
    const broken = await inParts(context, port, ...begun);
    await broken.closed;
    const reset = await inParts(context, port, `${post("/plain?reset", "Content-Length: 100")}abc`);
    await until("it is answered", () => /plain\n|ok\n/.test(reset.text()));
    reset.socket.write("more");
    reset.socket.resetAndDestroy();
    const half = await inParts(context, port, `${post("/plain?half", "Content-Length: 100")}abc`);
    await until("it is answered", () => /plain\n|ok\n/.test(half.text()));
    half.socket.end("more");
    await half.closed;
    await raw(port, head("/plain?last", "Connection: close"));
    assert.equal((await command.end()).code, 0);
    const targets = ["/plain?chunks", "/plain?reset", "/plain?half", "/plain?last"];
    assert.deepEqual(
      lines().map(({ target, status, end }) => [target, status, end]),
      targets.map((target) => [target, 200, "complete"]),
    );
    assert.doesNotMatch(text(), /password/);
  });

  test(`${what}: a malformed request after valid ones has its own line, and they have theirs`, async (context) => {
    const { command, port, lines } = await serve(context, spec);
    await raw(port, `${head("/plain?1")}gar\x01bage\r\n\r\n`);
    await raw(port, `${head("/plain?2")}${head("/plain?3", "Connection: close")}${head("/unasked")}`);
    assert.equal((await command.end()).code, 0);
    const of = (wanted: string): unknown[] => lines().filter(({ target }) => target === wanted);
    assert.deepEqual(told(of("/plain?1")[0] as never), ["GET", "/plain?1", 200, 6, "complete"]);
    assert.deepEqual(told(of("/plain?2")[0] as never), ["GET", "/plain?2", 200, 6, "complete"]);
    const refused = lines().filter(({ end }) => end === "refused");
    assert.deepEqual(
      refused.map(({ method, status }) => [method, status]),
      // In the bytes that node passes on, its beginning cannot be found.
      [[ours ? "gar\x01bage" : null, 400]],
    );
    assert.equal(of("/plain?3").length, 1);
    assert.equal(of("/unasked").length, 0);
    assert.equal(lines().length, 4);
  });

  test(`${what}: an incomplete head has a line`, async (context) => {
    const { command, port, lines } = await serve(context, spec);
    const reset = await inParts(context, port, head("/plain"), "GET /half HTTP/1.1\r\nHo");
    // A later request is answered later: by then the half head has been read.
    assert.equal((await ask({ port }, "/plain")).status, 200);
    reset.socket.resetAndDestroy();
    await until("it has its line", () => lines().length === 3);
    const ended = await inParts(context, port, `${head("/plain")}GET /half HTTP/1.1\r\nHo`);
    await until("the first is answered", () => ended.text().includes("plain\n"));
    ended.socket.end();
    await ended.closed;
    assert.equal((await command.end()).code, 0);
    const known = ours ? ["GET", "/half"] : [null, null];
    assert.deepEqual(
      lines()
        .filter(({ target }) => target !== "/plain")
        .map(({ method, target, status, end }) => [method, target, status, end]),
      [
        [...known, 499, "client-gone"],
        [...known, 400, "refused"],
      ],
    );
    assert.equal(lines().length, 5);
  });
}
