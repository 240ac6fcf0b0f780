/** Clients that read nothing, little, or less than they request: their cost is limited, and they are disconnected. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, Server, type Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { DEFAULT_TIMEOUTS } from "../../../src/server/server-options.ts";
import { until } from "../../support/command.ts";
import { type Engine, startEngine } from "../../support/engine.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

describe("a pipeline whose responses are not read", () => {
  const ANSWER = "x".repeat(100_000);
  const REQUESTS = 500;

  for (const late of [false, true]) {
    test(`gets no more responses than are read (sent ${late ? "in a later turn" : "at once"})`, async (t) => {
      let answered = 0;
      const engine = await startEngine(t, async (_request, respond) => {
        if (late) await new Promise((resolve) => setImmediate(resolve));
        answered += 1;
        respond(200, null, ANSWER);
      });
      const client = await engine.connect();
      client.socket.pause();
      client.send(GET.repeat(REQUESTS));
      await pause(300);
      // The system's buffers and little more.
      assert.ok(answered * ANSWER.length < 20_000_000, `${answered} answers were made`);
      client.socket.removeAllListeners("data");
      let received = 0;
      client.socket.on("data", (text: string) => {
        received += text.length;
      });
      client.socket.resume();
      await until("all have a response", () => received > REQUESTS * ANSWER.length);
      assert.equal(answered, REQUESTS);
      client.socket.destroy();
    });
  }

  test("is limited too if the requests come one by one", async (t) => {
    let answered = 0;
    const engine = await startEngine(t, (_request, respond) => {
      answered += 1;
      respond(200, null, ANSWER);
    });
    const client = await engine.connect();
    client.socket.pause();
    for (let count = 0; count < 500; count += 1) {
      client.send(GET);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await pause(100);
    assert.ok(answered * ANSWER.length < 20_000_000, `${answered} answers were made`);
    client.socket.destroy();
  });
});

describe("a client that leaves too little of its response unread for a drain event", () => {
  const timeouts = { ...DEFAULT_TIMEOUTS, header: 200, body: 200, keepAlive: 100 };

  /** An engine whose app writes until the system takes no more, so that a few kilobytes stay in the process. */
  async function startFilling(t: TestContext, given: Partial<typeof timeouts> = {}): Promise<Engine> {
    const sockets: Socket[] = [];
    const engine = await startEngine(
      t,
      async (request, respond) => {
        const writer = respond(200);
        if (request.path === "/next") return await writer.end("next");
        while (sockets[0]?.writableLength === 0) await writer.write("x".repeat(4096));
        await writer.end();
      },
      { timeouts: { ...timeouts, ...given } },
    );
    // Ordinary server connections show how much is pending on them.
    const listener = createServer({ allowHalfOpen: true });
    const handOver = new Server();
    engine.server.adopt(handOver);
    listener.on("connection", (socket) => {
      sockets.push(socket);
      handOver.emit("connection", socket);
    });
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    t.after(() => listener.close());
    return { ...engine, port: (listener.address() as AddressInfo).port };
  }

  async function ask(engine: Engine): Promise<Socket> {
    const socket = connect({ port: engine.port, host: "127.0.0.1", allowHalfOpen: true });
    socket.on("error", () => {});
    socket.write(GET);
    await until("the response is sent", () => engine.server.requests === 1);
    return socket;
  }

  test("is disconnected when its connection is idle", async (t) => {
    const engine = await startFilling(t);
    const socket = await ask(engine);
    await until("the client is disconnected", () => engine.server.connections === 0, 5000);
    socket.destroy();
  });

  test("is disconnected when it has half-closed", async (t) => {
    const engine = await startFilling(t);
    const socket = await ask(engine);
    socket.end();
    await until("the client is disconnected", () => engine.server.connections === 0, 5000);
    socket.destroy();
  });

  test("does not keep the server from draining", async (t) => {
    const engine = await startFilling(t);
    const socket = await ask(engine);
    await engine.server.drain(50);
    socket.destroy();
  });

  test("keeps its connection if it reads the rest in time", async (t) => {
    // Behind the response there is only the first of these for the next request, however slow the machine.
    const keepAlive = 1000;
    const engine = await startFilling(t, { keepAlive, header: 20_000, body: 20_000 });
    const socket = await ask(engine);
    await pause(keepAlive + 100);
    let text = "";
    socket.setEncoding("latin1").on("data", (more: string) => {
      text = text.slice(-1000) + more;
    });
    // At once: after the response the timeout would start again, which is another case.
    socket.write(GET.replace("/", "/next"));
    await until("the next response has arrived", () => text.endsWith("next"));
    socket.destroy();
  });
});
