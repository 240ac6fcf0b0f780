/** Real WebSockets: the `ws` package on both ends, through `respond.upgrade()` of the gateway engine. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import type { App, GatewayRequest, Respond } from "../../src/gateway/types.ts";
import { until } from "../support/command.ts";
import { type Engine, startEngine } from "../support/engine.ts";
import { OVER_TLS, webSocketTo } from "../support/tls-front.ts";

/** As in docs/gateway.md section 16. */
function take(
  sockets: WebSocketServer,
  request: GatewayRequest,
  respond: Respond,
  serve: (socket: WebSocket) => void,
): void {
  const message = { method: request.method, url: request.target, headers: request.headers };
  sockets.handleUpgrade(message as never, respond.upgrade() as Socket, Buffer.alloc(0), serve);
}

function echoing(socket: WebSocket): void {
  socket.on("error", () => {});
  socket.on("message", (data: RawData, binary: boolean) => socket.send(data, { binary }));
}

async function start(t: TestContext, serve = echoing, options = {}): Promise<Engine> {
  const sockets = new WebSocketServer({ noServer: true, ...options });
  const app: App = {
    handle: (_request, respond) => respond(426, { upgrade: "websocket" }, null),
    upgrade: (request, respond) => take(sockets, request, respond, serve),
  };
  t.after(() => {
    for (const socket of sockets.clients) socket.terminate();
  });
  return await startEngine(t, app);
}

async function open(engine: Engine, options = {}): Promise<WebSocket> {
  const [url, trust] = webSocketTo(engine.port);
  const socket = new WebSocket(url, { ...trust, ...options });
  await once(socket, "open");
  return socket;
}

async function ask(socket: WebSocket, message: string | Buffer): Promise<Buffer> {
  const answer = once(socket, "message");
  socket.send(message);
  return (await answer)[0] as Buffer;
}

describe("WebSocket", () => {
  for (const compressed of [false, true]) {
    test(`carries messages of every size both ways${compressed ? ", compressed" : ""}`, async (t) => {
      const engine = await start(t, echoing, { perMessageDeflate: compressed });
      const socket = await open(engine, { perMessageDeflate: compressed });
      for (const size of [0, 1, 125, 126, 65_535, 65_536, 3_000_000]) {
        const message = Buffer.from(
          Array.from({ length: size }, (_, at) => (at * at * 31 + (at >> 3)) & 255),
        );
        assert.ok((await ask(socket, message)).equals(message), `${size} bytes`);
      }
      assert.equal(String(await ask(socket, "grüße")), "grüße");
      socket.close(1000, "done");
      const [code, reason] = (await once(socket, "close")) as [number, Buffer];
      assert.deepEqual([code, String(reason)], [1000, "done"]);
      await until("the connection is closed", () => engine.server.connections === 0);
    });
  }

  test("carries fragments with a ping between them", async (t) => {
    const engine = await start(t);
    const socket = await open(engine);
    const pong = once(socket, "pong");
    const answer = once(socket, "message");
    socket.send("one, ", { fin: false });
    socket.ping("still there?");
    socket.send("two, ", { fin: false });
    socket.send("three", { fin: true });
    assert.equal(String((await pong)[0]), "still there?");
    assert.equal(String((await answer)[0]), "one, two, three");
    socket.terminate();
  });

  test("gets a first message from the server, is closed by the server, and ends", async (t) => {
    const engine = await start(t, (socket) => {
      socket.send("welcome");
      socket.close(4000, "go away");
    });
    const socket = new WebSocket(...webSocketTo(engine.port));
    const message = once(socket, "message");
    const closed = once(socket, "close");
    assert.equal(String((await message)[0]), "welcome");
    assert.equal((await closed)[0], 4000);
    await until("the connection is closed", () => engine.server.connections === 0);
  });

  test("a broken connection is reported to the app and leaves nothing behind", async (t) => {
    const codes: number[] = [];
    const engine = await start(t, (socket) => {
      echoing(socket);
      socket.on("close", (code) => codes.push(code));
    });
    const [cut, ended] = [await open(engine), await open(engine)];
    await ask(cut, "hello");
    const raw = (socket: WebSocket): Socket => (socket as unknown as { _socket: Socket })._socket;
    // Only a socket of TCP can reset its connection.
    if (OVER_TLS) raw(cut).destroy();
    else raw(cut).resetAndDestroy();
    raw(ended).destroy();
    await until("both are closed", () => codes.length === 2);
    assert.deepEqual(codes, [1006, 1006]);
    await until("the connections are closed", () => engine.server.connections === 0);
    // The worker continues.
    const socket = await open(engine);
    assert.equal(String(await ask(socket, "hello")), "hello");
    socket.terminate();
  });

  test("a protocol error closes it, and the worker continues", async (t) => {
    const errors: string[] = [];
    const engine = await start(t, (socket) => {
      socket.on("error", (error) => errors.push(error.message));
    });
    const socket = await open(engine);
    // Not masked, although a client's frames must be.
    (socket as unknown as { _socket: Socket })._socket.write(Buffer.from([0x81, 0x01, 0x41]));
    const [code] = (await once(socket, "close")) as [number];
    assert.equal(code, 1002);
    assert.equal(errors.length, 1);
    await until("the connection is closed", () => engine.server.connections === 0);
  });

  test("first frames may come with the handshake, in pieces of any size", async (t) => {
    const engine = await start(t);
    const frame = Buffer.from([
      0x81,
      0x85,
      1,
      2,
      3,
      4,
      ...[...Buffer.from("hello")].map((byte, at) => byte ^ ((at % 4) + 1)),
    ]);
    const head =
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    const bytes = Buffer.concat([Buffer.from(head), frame, frame]);
    for (const size of [bytes.length, head.length + 3, 40]) {
      const client = await engine.connect();
      for (let at = 0; at < bytes.length; at += size) {
        client.send(bytes.subarray(at, at + size));
        await pause(2);
      }
      await client.until((text) => text.endsWith("\x81\x05hello\x81\x05hello"), "both echoes");
      assert.match(client.received, /^HTTP\/1\.1 101 .*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/s);
      client.socket.destroy();
    }
  });

  test("may follow an ordinary request on the same connection", async (t) => {
    const engine = await start(t);
    const client = await engine.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await client.until((text) => text.includes("426"));
    client.send(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    await client.until((text) => text.includes("101 Switching Protocols"));
    client.socket.destroy();
  });

  test("a refused handshake gets the library's own response, and the connection ends", async (t) => {
    const engine = await start(t);
    const client = await engine.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert.match(await client.rest(), /^HTTP\/1\.1 400 /);
    await until("the connection is closed", () => engine.server.connections === 0);
  });

  test("a slow client holds the app back, which ends it", async (t) => {
    let server: WebSocket | undefined;
    const engine = await start(t, (socket) => {
      server = socket;
      const block = Buffer.alloc(100_000);
      const more = (): void => {
        if (socket.readyState === WebSocket.OPEN) socket.send(block, { binary: true }, more);
      };
      more();
    });
    const socket = await open(engine);
    socket.pause();
    await pause(200);
    const waiting = server?.bufferedAmount ?? 0;
    assert.ok(waiting > 0 && waiting < 1_000_000, `${waiting} bytes wait`);
    server?.terminate();
    await until("the connection is closed", () => engine.server.connections === 0);
    socket.terminate();
  });

  test("stays open while the worker drains, until the app ends it", async (t) => {
    const engine = await start(t);
    const socket = await open(engine);
    const drained = engine.server.drain(20);
    await pause(100);
    assert.equal(String(await ask(socket, "still there")), "still there");
    socket.close();
    await drained;
  });
});
