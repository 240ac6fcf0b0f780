/** Servers of the app with protocols of their own, whose places are taken by clients that do nothing: who makes room, and who stays. */
import assert from "node:assert/strict";
import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  createServer as createHttp2,
} from "node:http2";
import { connect, createServer, type Server, type Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { createServer as createTls } from "node:tls";
import { bindSocket, closeSocket, listenWithoutAccepting } from "../../src/arbiter/sockets/open-socket.ts";
import { ProxyRules } from "../../src/exchange/proxy-rules.ts";
import { AcceptLimiter } from "../../src/server/accept-limiter.ts";
import { PlaceKeeper } from "../../src/server/places/place-keeper.ts";
import type { Wait } from "../../src/server/places/policy.ts";
import { DEFAULT_TIMEOUTS } from "../../src/server/server-options.ts";
import { StreamServer } from "../../src/server/stream-server.ts";
import { until } from "../support/command.ts";

const PLACES = 8;
/** No client that keeps up is closed before. */
const LONGEST_MS = 5000;

interface Crowded {
  readonly port: number;
  readonly limiter: AcceptLimiter;
  /** How many have been closed, by what they were waited for. */
  readonly closed: Map<Wait, number>;
  connect(): Promise<Socket>;
}

async function serve(context: TestContext, server: Server, proxyRules?: ProxyRules): Promise<Crowded> {
  const closed = new Map<Wait, number>();
  const limiter = new AcceptLimiter({
    maxConnections: PLACES,
    loadKeeper: async (places) =>
      new PlaceKeeper(places, (relief) => {
        for (const [wait, count] of relief) closed.set(wait, (closed.get(wait) ?? 0) + count);
      }),
  });
  const timeouts = { ...DEFAULT_TIMEOUTS, responseMinRate: 240 };
  const served = new StreamServer({ server, limiter, timeouts, proxyRules, onAcceptError: assert.fail });
  context.after(() => served.destroy());
  const fail = (code: string): Error => new Error(code);
  // As the arbiter does: only a socket that another handle has bound can be left alone for a while.
  const address = { host: "127.0.0.1", port: 0, ipv6Only: false, reusePort: false };
  const { fd, port } = bindSocket(address, fail);
  await listenWithoutAccepting(fd, 100, fail);
  context.after(() => closeSocket(fd));
  await served.listen(fd);
  const open = async (): Promise<Socket> => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    context.after(() => socket.destroy());
    await once(socket, "connect");
    return socket;
  };
  return { port, limiter, closed, connect: open };
}

const isFull = ({ limiter }: Crowded): Promise<unknown> => until("all places are taken", () => limiter.full);

const LARGE = Buffer.alloc(2 ** 23);

/** `/large` sends much, `/talk` responds with what it gets, `/hold` holds, `/unread` reads its content late, else the content's size. */
function http2Server(): { server: Server; release: () => void } {
  const held = new Set<() => void>();
  const server = createHttp2((request, response) => {
    if (request.url === "/large") response.end(LARGE);
    else if (request.url === "/talk") request.pipe(response.writeHead(200));
    else if (request.url === "/hold") held.add(() => response.end("held"));
    else {
      let size = 0;
      const read = (): void => {
        request.on("data", (piece) => {
          size += piece.length;
        });
        request.on("end", () => response.end(`${size}`));
      };
      if (request.url === "/unread") held.add(read);
      else read();
    }
  });
  const release = (): void => {
    for (const one of held) one();
  };
  return { server, release };
}

interface Client {
  readonly session: ClientHttp2Session;
  readonly stream: ClientHttp2Stream;
  isClosed(): boolean;
}

/** A session with one request, of which nothing is read until that is asked for. */
async function asking(
  context: TestContext,
  { port }: Crowded,
  path: string,
  content?: string,
): Promise<Client> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  context.after(() => session.destroy());
  await once(session, "connect");
  const stream = session.request({ ":path": path, ":method": content === undefined ? "GET" : "POST" });
  stream.on("error", () => {});
  if (content !== undefined) stream.write(content);
  return { session, stream, isClosed: () => session.closed || session.destroyed };
}

async function textOf(stream: ClientHttp2Stream): Promise<string> {
  let text = "";
  for await (const piece of stream.setEncoding("utf8")) text += piece;
  return text;
}

const answered = async (client: Client): Promise<string> => {
  client.stream.end();
  return await textOf(client.stream);
};

describe("a crowded server", { concurrency: true }, () => {
  test("HTTP/2: sessions without a request make room; requests that the app works on, or does not read, keep theirs", async (context) => {
    const { server, release } = http2Server();
    const crowded = await serve(context, server);
    const working = await asking(context, crowded, "/hold");
    const unread = await asking(context, crowded, "/unread", "content");
    await Promise.all(Array.from({ length: PLACES * 2 }, () => crowded.connect()));
    assert.equal(await answered(await asking(context, crowded, "/")), "0");
    assert.deepEqual([...crowded.closed.keys()], ["first byte"]);
    release();
    assert.equal(await answered(working), "held");
    assert.equal(await answered(unread), "7");
  });

  for (const [wait, path, content] of [
    ["content", "/", "begun"],
    ["reader", "/large", undefined],
  ] as const)
    test(`HTTP/2: slow clients make room that are waited for as ${wait}`, async (context) => {
      const crowded = await serve(context, http2Server().server);
      // A conversation is no upload, however long its client is silent.
      const talk = await asking(context, crowded, "/talk", "hello");
      await once(talk.stream, "response");
      const slow = await Promise.all(
        Array.from({ length: PLACES }, () => asking(context, crowded, path, content)),
      );
      await isFull(crowded);
      assert.equal(await answered(await asking(context, crowded, "/")), "0");
      assert.deepEqual([...crowded.closed.keys()], [wait]);
      await until("some are closed", () => slow.some((client) => client.isClosed()));
      assert.equal(await answered(talk), "hello");
    });

  for (const isProxy of [false, true])
    test(`HTTP/2: idle sessions ${isProxy ? "of a trusted proxy stay" : "make room at last"}`, async (context) => {
      const rules = isProxy ? new ProxyRules(["127.0.0.1"]) : undefined;
      const crowded = await serve(context, http2Server().server, rules);
      const since = performance.now();
      const idle = await Promise.all(
        Array.from({ length: PLACES }, async () => {
          const client = await asking(context, crowded, "/");
          await answered(client);
          return client;
        }),
      );
      await isFull(crowded);
      const waiting = asking(context, crowded, "/").then(answered);
      if (isProxy) {
        await new Promise((resolve) => setTimeout(resolve, LONGEST_MS + 500));
        assert.ok(idle.every((client) => !client.isClosed()));
        idle[0]?.session.destroy();
      }
      assert.equal(await waiting, "0");
      assert.ok(performance.now() - since > LONGEST_MS - 100);
    });

  test("TLS: clients make room that do not shake hands", async (context) => {
    const crowded = await serve(context, createTls());
    await Promise.all(Array.from({ length: PLACES * 2 }, () => crowded.connect()));
    await until("some are closed", () => (crowded.closed.get("front") ?? 0) >= PLACES);
  });

  test("an unknown protocol: clients that do not read make room, and silent ones at last, but none that has been served", async (context) => {
    const crowded = await serve(
      context,
      createServer((socket) => {
        socket.on("error", () => {});
        socket.on("data", (line) => socket.write(`${line}` === "large" ? LARGE : line));
      }),
    );
    const served = await crowded.connect();
    served.write("hello");
    await once(served, "data");
    const readers = await Promise.all(Array.from({ length: PLACES - 1 }, () => crowded.connect()));
    for (const socket of readers) socket.pause().write("large");
    const other = await crowded.connect();
    other.write("hello");
    await once(other, "data");
    assert.deepEqual([...crowded.closed.keys()], ["reader"]);
    for (const socket of [...readers, other]) socket.destroy();
    await until("one is left", () => crowded.limiter.connections === 1);
    await Promise.all(Array.from({ length: PLACES - 1 }, () => crowded.connect()));
    const last = await crowded.connect();
    const since = performance.now();
    last.write("hello");
    await once(last, "data");
    assert.ok(performance.now() - since > LONGEST_MS - 1000);
    served.write("still here");
    assert.equal(`${await once(served, "data")}`, "still here");
  });
});
