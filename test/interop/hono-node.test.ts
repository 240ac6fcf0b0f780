/** The additions of @hono/node-server to Hono: for an exported app, and for one that listens with its `serve()`. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { describe, test } from "node:test";
import { WebSocket } from "ws";
import { ask } from "../support/ask.ts";
import { FIXTURES, startCommand } from "../support/command.ts";
import { rawClient } from "../support/raw-answer.ts";

const APPS = [
  { what: "an exported app", spec: `${join(FIXTURES, "servers", "hono-node.mjs")}:app` },
  { what: "an app that listens", spec: join(FIXTURES, "servers", "hono-listens.mjs") },
];

for (const { what, spec } of APPS) {
  test(`${what}: the client's address, early hints and WebSockets`, async (context) => {
    const command = startCommand(context, [spec, "-b", "127.0.0.1:0", "--no-control-socket"]);
    await command.ready();
    const port = await command.port();
    const target = { host: "127.0.0.1", port };

    const who = JSON.parse((await ask(target, "/who")).text) as {
      address: string;
      port: number;
      addressType: string;
    };
    assert.deepEqual([who.address, who.addressType], ["127.0.0.1", "IPv4"]);
    assert.ok(who.port > 0);
    const incoming = await fetch(`http://127.0.0.1:${port}/incoming?a=%20b`, {
      headers: { "user-agent": "a test" },
    });
    assert.deepEqual(await incoming.json(), {
      ...{ method: "GET", url: "/incoming?a=%20b", agent: "a test", encrypted: false },
    });

    const client = await rawClient(context, port);
    client.send("GET /hints HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert.match(
      await client.rest(),
      /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/style\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 /i,
    );
    await ask(target, "/closed");

    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws?key=1`);
    context.after(() => socket.terminate());
    const messages: string[] = [];
    socket.on("message", (data) => messages.push(String(data)));
    const [response] = await once(socket, "upgrade");
    assert.equal(response.headers["x-served-by"], "hono");
    socket.send("question");
    while (messages.length < 2) await once(socket, "message");
    assert.deepEqual(messages, ["hello 127.0.0.1", "question, string"]);
    socket.close(4000);
    await once(socket, "close");

    const refused = new WebSocket(`ws://127.0.0.1:${port}/ws`);
    const [error] = await once(refused, "error");
    assert.match(String(error), /Unexpected server response: 401/);
    assert.equal((await ask(target, "/ws?key=1")).status, 404);
    assert.equal((await command.end()).code, 0);
    assert.match(command.stdout, /closed, finished: true\n(?:.*\n)*WebSocket closed with 4000\n/);
  });
}

describe("an exported app", () => {
  test("what would bypass its Response fails, and the log says what to do", async (context) => {
    const [exported] = APPS;
    const command = startCommand(context, [exported?.spec ?? "", "-b", "127.0.0.1:0", "--no-control-socket"]);
    await command.ready();
    assert.equal((await ask({ host: "127.0.0.1", port: await command.port() }, "/direct")).status, 500);
    await command.line(/c\.env\.outgoing\.end\(\) is not supported: return a Response/);
  });
});
