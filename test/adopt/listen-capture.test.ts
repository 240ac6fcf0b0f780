import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, get, type Server as HttpServer } from "node:http";
import { type AddressInfo, connect, createServer as createNetServer, Server } from "node:net";
import { after, afterEach, beforeEach, describe, test } from "node:test";
import { acceptorFor } from "../../src/adopt/acceptor.ts";
import { describeTarget } from "../../src/adopt/listen-call.ts";
import { ListenCapture } from "../../src/adopt/listen-capture.ts";
import { OtherServers } from "../../src/adopt/other-servers.ts";
import { nativeListen } from "../../src/server/listen.ts";
import { freePort } from "../support/free-port.ts";

const ADDRESS: AddressInfo = { address: "192.0.2.1", port: 80, family: "IPv4" };

const opened: string[] = [];
const failed: string[] = [];

function capture(
  options: { adopt?: string; refuses?: boolean; opens?: "all" | "free-port" | "none" } = {},
): ListenCapture {
  const { adopt, refuses = false, opens = "free-port" } = options;
  return new ListenCapture({
    address: ADDRESS,
    adopt,
    others: new OtherServers({
      refuses,
      opens,
      patienceMs: 5000,
      onOpen: (target) => opened.push(describeTarget(target)),
      onFailure: (target, error) => failed.push(`${describeTarget(target)}: ${error.message}`),
    }),
  });
}

beforeEach(() => {
  opened.length = 0;
  failed.length = 0;
});
afterEach(() => {
  Server.prototype.listen = nativeListen as never;
});

describe("a server that the app makes listen", () => {
  test("listens, as far as the app can tell, at the address of the worker", async () => {
    const captured = capture();
    const server = createServer();
    let called = false;
    const listening = once(server, "listening");
    assert.equal(
      server.listen(3000, () => {
        called = true;
      }),
      server,
    );
    assert.equal(called, false, "not before the next turn, as in Node");
    await listening;
    assert.equal(called, true);
    assert.equal(server.listening, true);
    assert.deepEqual(server.address(), ADDRESS);
    assert.equal(captured.adopted?.server, server);
    assert.throws(() => server.listen(3000), { code: "ERR_SERVER_ALREADY_LISTEN" });
    server.close();
  });

  test("closes when the app closes it, and can listen again", async () => {
    const captured = capture();
    const server = createServer();
    server.listen(3000);
    await captured.whenAdopted();
    let told = 0;
    captured.whenClosed(() => {
      told += 1;
    });
    const closed = once(server, "close");
    server.close();
    await closed;
    assert.equal(told, 1);
    assert.equal(server.listening, false);
    server.listen(3000);
    await once(server, "listening");
    assert.equal(captured.adopted?.server, server);
    server.close();
  });

  test("is told of though the app has closed it while the worker booted", async () => {
    const captured = capture();
    const server = createServer();
    server.listen(3000);
    await captured.whenAdopted();
    server.close();
    let told = 0;
    captured.whenClosed(() => {
      told += 1;
    });
    assert.equal(told, 1);
  });

  test("only to look whether its port is free is not the one to serve", async () => {
    const captured = capture();
    const adopted = captured.whenAdopted();
    for (const host of ["127.0.0.1", "0.0.0.0"]) {
      const probe = createNetServer().listen(3000, host);
      await once(probe, "listening");
      probe.close();
      await once(probe, "close");
    }
    const server = createServer();
    server.listen(3000);
    assert.equal((await adopted).server, server);
    assert.deepEqual(opened, []);
    server.close();
  });

  test("that is aborted by its signal is closed", async () => {
    capture();
    const server = createServer();
    const abort = new AbortController();
    server.listen({ port: 3000, signal: abort.signal });
    const closed = once(server, "close");
    abort.abort();
    await closed;
  });

  test("gets invalid arguments judged by Node", () => {
    capture();
    assert.throws(() => createServer().listen(65_536), { code: "ERR_SOCKET_BAD_PORT" });
  });

  test("is waited for, however late it listens", async () => {
    const captured = capture();
    const waiting = captured.whenAdopted();
    const server = createServer();
    setImmediate(() => server.listen(3000));
    assert.equal((await waiting).server, server);
    server.close();
  });
});

describe("of several servers", () => {
  test("the first is adopted; the others seem to listen, each on its own port", async () => {
    const captured = capture();
    const [first, second] = [createServer(), createServer()];
    first.listen(3000);
    second.listen(9090, "127.0.0.1");
    await once(second, "listening");
    assert.equal(captured.adopted?.server, first);
    assert.deepEqual(second.address(), { address: "127.0.0.1", port: 9090, family: "IPv4" });
    first.close();
    second.close();
    await once(second, "close");
  });

  test("--adopt names the one to serve", () => {
    const captured = capture({ adopt: "3000" });
    const [metrics, app] = [createServer(), createServer()];
    metrics.listen(9090);
    app.listen(3000);
    assert.equal(captured.adopted?.server, app);
  });

  test("one on the port of the adopted server is part of it", async () => {
    capture({ opens: "all" });
    const [first, second] = [createServer(), createServer()];
    first.listen(3000, "127.0.0.1");
    second.listen(3000, "::1");
    await once(second, "listening");
    assert.deepEqual(second.address(), ADDRESS);
    assert.deepEqual(opened, []);
  });

  test("a socket that the app expects to have inherited is ours; for another server there is none", async () => {
    const captured = capture();
    const server = createServer();
    server.listen({ fd: 3 });
    await once(server, "listening");
    assert.equal(captured.adopted?.server, server);
    assert.deepEqual(server.address(), ADDRESS);
    assert.throws(() => createServer().listen({ fd: 4 }), {
      message:
        "refused to listen on descriptor 4: this app already has a server, and the process has inherited no socket for another",
    });
    server.close();
  });

  test("others are refused where the setting says so, at the call", () => {
    capture({ refuses: true });
    createServer().listen(3000);
    assert.throws(() => createServer().listen(9090), {
      message: "refused to listen on port 9090: this app already has a server, and --other-servers is refuse",
    });
  });

  test("another one is open in the worker that opens them, and logged once", async () => {
    const port = await freePort();
    capture({ opens: "all" });
    createServer().listen(3000);
    const metrics = createServer((_request, response) => void response.end("metrics"));
    metrics.listen(port, "127.0.0.1");
    await once(metrics, "listening");
    assert.equal(await read(port), "metrics");
    assert.deepEqual(opened, [`port ${port} of 127.0.0.1`]);
    const closed = once(metrics, "close");
    metrics.closeAllConnections();
    metrics.close();
    await closed;
  });

  test("a port that the system chooses is opened in every worker, and nowhere while the app is tried", async () => {
    for (const [opens, isOpen] of [
      ["free-port", true],
      ["none", false],
    ] as const) {
      capture({ opens });
      createServer().listen(3000);
      const inner = createServer().listen(0, "127.0.0.1");
      await once(inner, "listening");
      assert.equal((inner.address() as AddressInfo).port > 0, isOpen, opens);
      inner.close();
    }
  });

  test("its port may still be the previous worker's: it is opened when that has gone", async () => {
    const port = await freePort();
    const previous = createNetServer().listen(port, "127.0.0.1");
    await once(previous, "listening");
    capture({ opens: "all" });
    createServer().listen(3000);
    const metrics = createServer((_request, response) => void response.end("metrics"));
    metrics.listen(port, "127.0.0.1");
    await once(metrics, "listening");
    previous.close();
    let text = "";
    while (text === "") text = await read(port).catch(() => "");
    assert.equal(text, "metrics");
    assert.deepEqual(failed, []);
    metrics.closeAllConnections();
    metrics.close();
  });

  test("when the export is served the server is one of the others", async () => {
    const captured = capture();
    const server = createServer();
    server.listen(3000);
    assert.equal(
      captured.serveExport(() => false),
      undefined,
    );
    assert.equal(captured.adopted, undefined);
    const later = createServer();
    later.listen(3001);
    assert.equal(captured.adopted, undefined);
  });

  test("which has listened once, as far as the app can tell", async () => {
    const captured = capture();
    const server = createServer();
    let times = 0;
    server.on("listening", () => {
      times += 1;
    });
    server.listen(3000);
    await once(server, "listening");
    captured.serveExport(() => false);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(times, 1);
    assert.equal(server.listening, true);
  });

  test("or refused, where others are, though it listened before the export was known", () => {
    const captured = capture({ refuses: true });
    createServer().listen(3000);
    assert.throws(() => captured.serveExport(() => false), { message: /^refused to listen on port 3000: / });
  });
});

describe("the acceptor", () => {
  const servers: Server[] = [];
  after(() => {
    for (const server of servers) server.close();
  });

  test("passes connections on, with which the server does what it does with its own", async () => {
    capture();
    const server: HttpServer = createServer((request, response) => {
      if (request.url === "/") response.end("passed on");
    });
    server.listen(3000);
    const acceptor = acceptorFor(server);
    servers.push(acceptor);
    nativeListen.call(acceptor, 0, "127.0.0.1");
    await once(acceptor, "listening");
    const { port } = acceptor.address() as AddressInfo;
    assert.equal(await read(port), "passed on");
    const waiting = connect(port, "127.0.0.1");
    waiting.write("GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
    await once(server, "request");
    const count = await new Promise((resolve) => server.getConnections((_error, number) => resolve(number)));
    assert.equal(count, 1);
    // `close` waits for the connection, as it is not idle.
    let closed = false;
    server.close(() => {
      closed = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(closed, false);
    const end = once(server, "close");
    waiting.destroy();
    await end;
    assert.equal(closed, true);
  });

  test("drops connections beyond the server's own maxConnections", async () => {
    capture();
    const server = createNetServer((socket) => void socket.end("in"));
    server.maxConnections = 0;
    server.listen(3000);
    const acceptor = acceptorFor(server);
    servers.push(acceptor);
    nativeListen.call(acceptor, 0, "127.0.0.1");
    await once(acceptor, "listening");
    const dropped = once(server, "drop");
    const client = connect((acceptor.address() as AddressInfo).port, "127.0.0.1");
    await dropped;
    await once(client, "close");
  });
});

function read(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ port, host: "127.0.0.1", agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (piece: string) => {
        text += piece;
      });
      response.on("end", () => resolve(text));
    }).on("error", reject);
  });
}
