/** WebSockets over HTTP/2: an extended CONNECT (RFC 8441) is an upgrade request for the app. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, constants } from "node:http2";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { GatewayRequest, Respond } from "../../../src/gateway/types.ts";
import { until } from "../../support/command.ts";
import { ask, startHttp2Engine } from "../../support/http2-engine.ts";

async function tunnel(session: ClientHttp2Session): Promise<[stream: ClientHttp2Stream, status: number]> {
  const headers = {
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":path": "/chat",
    "sec-websocket-version": "13",
  };
  const stream = session.request(headers, { endStream: false });
  stream.on("error", () => {});
  const [head] = (await once(stream, "response")) as [Record<string, unknown>];
  assert.equal(head["sec-websocket-accept"], undefined);
  return [stream, Number(head[":status"])];
}

async function echoed(stream: ClientHttp2Stream): Promise<void> {
  stream.write("ping");
  const [bytes] = (await once(stream, "data")) as [Buffer];
  assert.equal(bytes.toString(), "ping");
}

const HANDSHAKES: readonly [what: string, upgrade: (respond: Respond) => void][] = [
  [
    "by the gateway",
    (respond) => {
      const stream = respond.upgrade({ upgrade: "websocket", "sec-websocket-accept": "x" });
      stream.pipe(stream);
    },
  ],
  [
    "written by a library",
    (respond) => {
      const stream = respond.upgrade();
      stream.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
      stream.write("Sec-WebSocket-Accept: x\r\n\r\n");
      stream.pipe(stream);
    },
  ],
];

for (const [what, upgrade] of HANDSHAKES)
  test(`the handshake ${what} opens the stream in both directions`, async (context) => {
    let seen: GatewayRequest | undefined;
    const app = {
      handle: (_request: GatewayRequest, respond: Respond) => respond(404, {}, "no"),
      upgrade: (request: GatewayRequest, respond: Respond) => {
        seen = request;
        upgrade(respond);
      },
    };
    const engine = await startHttp2Engine(context, app);
    const session = await engine.session();
    context.after(() => session.destroy());
    const [stream, status] = await tunnel(session);
    assert.equal(status, 200);
    await echoed(stream);
    assert.deepEqual(engine.server.connectionStates(), { active: 0, idle: 0, upgraded: 1 });
    assert.deepEqual(
      [seen?.method, seen?.path, seen?.upgrade, seen?.headers.upgrade, seen?.headers.connection],
      ["GET", "/chat", true, "websocket", "Upgrade"],
    );
    assert.match(seen?.headers["sec-websocket-key"] ?? "", /^[\w+/]{22}==$/);
    stream.end();
    await once(stream, "close");
    assert.deepEqual(engine.errors, []);
  });

test("an app that takes no upgrades responds as usual", async (context) => {
  const engine = await startHttp2Engine(context, (request, respond) =>
    respond(404, {}, String(request.upgrade)),
  );
  const session = await engine.session();
  context.after(() => session.destroy());
  const [stream, status] = await tunnel(session);
  const [bytes] = (await once(stream, "data")) as [Buffer];
  assert.deepEqual([status, bytes.toString()], [404, "true"]);
  stream.close();
});

for (const [what, respondTo, content] of [
  ["at once", (respond: Respond) => respond(200, {}, "a page"), "a page"],
  ["without content", (respond: Respond) => respond(204, {}, null), ""],
  [
    "in pieces",
    async (respond: Respond) => {
      const writer = respond(200);
      await writer.write("a ");
      await writer.end("page");
    },
    "a page",
  ],
] as const)
  test(`an answer ${what} with a 2xx never opens a WebSocket`, async (context) => {
    const engine = await startHttp2Engine(context, async (_request, respond) => {
      await respondTo(respond);
    });
    const session = await engine.session();
    context.after(() => session.destroy());
    const [stream, status] = await tunnel(session);
    assert.equal(status, 501);
    let text = "";
    stream.setEncoding("latin1").on("data", (piece: string) => {
      text += piece;
    });
    // Behind its response, the stream is closed without waiting for the client's end.
    await once(stream, "close");
    assert.deepEqual([text, stream.rstCode], [content, 0]);
    assert.equal((await ask(session)).status, content === "" ? 204 : 200);
    assert.deepEqual(engine.errors, []);
  });

test("a handler without upgrade beside it may change protocols too", async (context) => {
  const engine = await startHttp2Engine(context, (_request, respond) => {
    const stream = respond.upgrade({ upgrade: "websocket" });
    stream.pipe(stream);
  });
  const session = await engine.session();
  context.after(() => session.destroy());
  const [stream, status] = await tunnel(session);
  assert.equal(status, 200);
  await echoed(stream);
  stream.close();
});

test("clients that leave while the app writes end no worker whose app does not listen for that", async (context) => {
  const taken: Duplex[] = [];
  const engine = await startHttp2Engine(context, {
    handle: (_request: GatewayRequest, respond: Respond) => respond(200, {}, "ok"),
    upgrade: (_request: GatewayRequest, respond: Respond) => {
      const stream = respond.upgrade({ upgrade: "websocket" });
      taken.push(stream);
      const timer = setInterval(() => {
        for (let nth = 0; nth < 3; nth += 1) stream.write(Buffer.alloc(1000));
      }, 1);
      stream.on("close", () => clearInterval(timer));
    },
  });
  for (let client = 0; client < 40; client += 1) {
    const session = await engine.session();
    const [stream] = await tunnel(session);
    await pause(client % 10);
    if (client % 2 === 0) stream.close(constants.NGHTTP2_CANCEL);
    session.destroy();
  }
  await until("the app's ends are closed", () => taken.every(({ destroyed }) => destroyed));
  assert.equal(taken.length, 40);
  const session = await engine.session();
  context.after(() => session.destroy());
  assert.equal((await ask(session)).status, 200);
});

test("an app that ends first still reads what the client sent", async (context) => {
  let taken: Duplex | undefined;
  const engine = await startHttp2Engine(context, {
    handle: (_request: GatewayRequest, respond: Respond) => respond(404, {}, "no"),
    upgrade: (_request: GatewayRequest, respond: Respond) => {
      taken = respond.upgrade({ upgrade: "websocket" });
      taken.end("bye");
    },
  });
  const session = await engine.session();
  context.after(() => session.destroy());
  const [stream] = await tunnel(session);
  stream.resume().end("the last words");
  await once(stream, "close");
  await until("the request is over", () => engine.server.connectionStates().upgraded === 0);
  const words: Buffer[] = [];
  for await (const chunk of taken as Duplex) words.push(chunk as Buffer);
  assert.equal(Buffer.concat(words).toString(), "the last words");
});
