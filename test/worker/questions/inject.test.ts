/** Requests in memory to each kind of server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { InjectedRequest, InjectedResponse } from "../../../src/ipc/question.ts";
import type { WorkerServer } from "../../../src/server/server.ts";
import { inject, MAX_CONTENT_BYTES } from "../../../src/worker/questions/inject.ts";
import { until } from "../../support/command.ts";
import { startEngine } from "../../support/engine.ts";
import { onBothServers } from "../../support/node-engine.ts";

function ask(server: WorkerServer, asked: Partial<InjectedRequest> = {}): Promise<InjectedResponse> {
  return inject(
    { server, scheme: "http" },
    { method: "GET", target: "/", headers: [], body: "", timeout: 30_000, ...asked },
  );
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

function textOf({ body }: InjectedResponse): string {
  return Buffer.from(body, "base64").toString();
}

onBothServers((start) => {
  test("a listener gets the request, and its response comes back", async (context) => {
    const { server } = await start(context, (request, response) => {
      let content = "";
      request.on("data", (piece) => {
        content += piece;
      });
      request.on("end", () => {
        response.setHeader("set-cookie", ["a=1", "b=2"]);
        response.statusCode = 201;
        response.end(`${request.method} ${request.url} ${request.headers["x-a"]} ${content}`);
      });
    });
    const response = await ask(server, {
      method: "PUT",
      target: "/x?y=%20",
      headers: [["X-A", "é".normalize()]],
      body: base64("content"),
    });
    assert.equal(response.status, 201);
    assert.match(textOf(response), /^PUT \/x\?y=%20 . content$/);
    assert.deepEqual(
      response.headers.filter(([name]) => name === "set-cookie"),
      [
        ["set-cookie", "a=1"],
        ["set-cookie", "b=2"],
      ],
    );
    assert.equal(response.bytes, Buffer.from(response.body, "base64").length);
    assert.ok(response.duration > 0);
    assert.equal(server.requests, 1);
    await until("its connection is closed", () => server.connections === 0);
    assert.equal(textOf(await ask(server)), "GET / undefined ");
    server.logUnfinished();
  });

  test("large content arrives whole, and is cut", async (context) => {
    const { server } = await start(context, (request, response) => {
      let bytes = 0;
      request.on("data", (piece: Buffer) => {
        bytes += piece.length;
      });
      request.on("end", () => response.end(Buffer.alloc(3 * MAX_CONTENT_BYTES, String(bytes))));
    });
    const response = await ask(server, { method: "POST", body: base64("x".repeat(1_000_000)) });
    assert.equal(response.bytes, 3 * MAX_CONTENT_BYTES);
    assert.equal(textOf(response).length, MAX_CONTENT_BYTES);
    assert.match(textOf(response), /^1000000/);
  });

  test("a response that does not come, or breaks off, is an error with one line", async (context) => {
    let open = 0;
    const { server } = await start(context, (request, response) => {
      open += 1;
      response.on("close", () => {
        open -= 1;
      });
      if (request.url !== "/break") return;
      response.writeHead(200, { "content-length": 100 });
      response.write("part");
      setImmediate(() => request.socket.destroy());
    });
    await assert.rejects(ask(server, { timeout: 50 }), /^Error: no response within 0.05 s$/);
    await assert.rejects(ask(server, { target: "/break" }), /^Error: no whole response: /);
    await until("the app's responses are closed", () => open === 0 && server.connections === 0);
  });
});

test("a gateway app gets the request, and sees a client on this machine", async (context) => {
  const { server } = await startEngine(context, async (request, respond) => {
    const content = await request.body.text();
    respond(200, { "content-type": "text/plain" }, `${request.method} ${request.remote.address} ${content}`);
  });
  const response = await ask(server, { method: "POST", body: base64("hi") });
  assert.equal(textOf(response), "POST 127.0.0.1 hi");
  await until("its connection is closed", () => server.connections === 0);
});

test("an upgrade is answered by its head", async (context) => {
  const { server } = await startEngine(context, {
    handle: (_request, respond) => respond(200, {}, "no upgrade"),
    upgrade: (_request, respond) => {
      const stream = respond.upgrade({ upgrade: "chat" });
      stream.on("error", () => {});
    },
  });
  const response = await ask(server, {
    headers: [
      ["connection", "upgrade"],
      ["upgrade", "chat"],
    ],
  });
  assert.equal(response.status, 101);
  await until("its connection is closed", () => server.connections === 0);
});

test("a server that drains answers, and one with a protocol of its own is not asked", async (context) => {
  const { server } = await startEngine(context, (_request, respond) => respond(200, {}, "x"));
  await assert.rejects(
    inject(
      { server, scheme: undefined },
      { method: "GET", target: "/", headers: [], body: "", timeout: 1000 },
    ),
    /its app serves a protocol of its own/,
  );
  const response = await ask(server);
  assert.equal(textOf(response), "x");
});
