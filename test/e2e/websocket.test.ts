/** Long connections through the built command: echoed, cut, and closed by a reload. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { WebSocket } from "ws";
import { currentWorker } from "../../src/interop/node.ts";
import { FIXTURES, startCommand, until } from "../support/command.ts";

const GATEWAY = { what: "a gateway app", spec: `${join(FIXTURES, "websocket", "app.mjs")}:app` };
const EXPRESS = { what: "Express", spec: `${join(FIXTURES, "websocket", "express.mjs")}:server` };

const LISTENING = { what: "Express that listens", spec: join(FIXTURES, "websocket", "express-listens.mjs") };

interface Opened {
  readonly socket: WebSocket;
  /** The process id of the worker at the other end. */
  readonly worker: number;
}

async function open(port: number): Promise<Opened> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  const [greeting] = await once(socket, "message");
  return { socket, worker: Number(String(greeting)) };
}

for (const { what, spec } of [GATEWAY, EXPRESS, LISTENING]) {
  test(`WebSockets of ${what} echo, survive when others are cut, and are closed cleanly by a reload`, async (t) => {
    const server = startCommand(t, [spec, "--bind", "127.0.0.1:0", "--workers", "2"]);
    await server.ready();
    const port = await server.port();
    const workers = server.workers();
    const opened = await Promise.all(Array.from({ length: 40 }, () => open(port)));
    for (const { worker } of opened) assert.ok(workers.includes(worker), `${worker} is no worker`);
    await Promise.all(
      opened.map(async ({ socket }, index) => {
        const message = Buffer.alloc(index * 10_007, index);
        const echo = once(socket, "message");
        socket.send(message.subarray(0, index), { fin: false });
        socket.send(message.subarray(index), { fin: true });
        assert.ok(((await echo)[0] as Buffer).equals(message), `message ${index}`);
      }),
    );
    const cut = opened.splice(0, 16);
    for (const { socket } of cut) {
      socket.on("error", () => {});
      (socket as unknown as { _socket: Socket })._socket.resetAndDestroy();
    }
    const closed = opened.map(({ socket }) => once(socket, "close"));
    server.kill("SIGHUP");
    for (const [code] of await Promise.all(closed)) assert.equal(code, 1012);
    await server.ready(2);
    await until("the old workers are gone", () => !server.workers().some((pid) => workers.includes(pid)));
    const { socket } = await open(port);
    const echo = once(socket, "message");
    socket.send("after the reload");
    assert.equal(String((await echo)[0]), "after the reload");
    socket.terminate();
    assert.deepEqual(server.lines(/\[(?:error|critical)\]|MaxListeners/i), []);
    assert.deepEqual(await server.end(), { code: 0, signal: null });
  });
}

for (const { what, spec } of [GATEWAY, EXPRESS]) {
  test(`an endless response of ${what} ends cleanly when its worker drains`, async (t) => {
    const server = startCommand(t, [spec, "--bind", "127.0.0.1:0"]);
    await server.ready();
    const request = get({ port: await server.port(), path: "/events" });
    const [answer] = (await once(request, "response")) as [IncomingMessage];
    let text = "";
    answer.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
    });
    await until("events come", () => text.includes("data: "));
    const ended = once(answer, "end");
    const exit = server.end();
    await ended;
    assert.match(text, /\n\nevent: bye\ndata: \n\n$/);
    assert.deepEqual(await exit, { code: 0, signal: null });
  });
}

test("currentWorker returns undefined outside of a worker process", () => {
  assert.equal(currentWorker(), undefined);
});
