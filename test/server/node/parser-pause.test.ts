/**
 * Pipelined requests whose client is ahead of the responses. Node pauses its parser then, and however the bytes come, none
 * may reach it meanwhile: over TLS, one read of the connection is several of the handle.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { createServer, RequestListener } from "node:http";
import { createServer as createSecure } from "node:https";
import { connect, type Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { Front } from "../../../src/server/front/front.ts";
import { ProxyStage } from "../../../src/server/front/proxy-stage.ts";
import { NodeServer } from "../../../src/server/node/node-server.ts";
import type { NodeServerOptions, ServedListeners } from "../../../src/server/node/node-server-options.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS, type MakeFront } from "../../../src/server/server-options.ts";
import { RawClient, statuses } from "../../support/engine.ts";
import { adopted } from "../../support/node-engine.ts";
import { textHeader } from "../../support/proxy-headers.ts";
import { Random } from "../../support/random.ts";
import { identity, listenBehindFront, tlsFront, trusted } from "../../support/tls-front.ts";

interface Server {
  readonly port: number;
  readonly tls: boolean;
  /** Sent before the first request. */
  readonly preface?: string;
}

type Start = (context: TestContext, listener: RequestListener) => Promise<Server>;

const proxyFront: MakeFront = (limiter) =>
  new Front(
    {
      stages: [new ProxyStage({ versions: "auto", rules: { trusts: () => true } })],
      timeout: 30_000,
      onRefused: assert.fail,
    },
    limiter,
  );

async function serve(
  context: TestContext,
  served: ServedListeners | Pick<NodeServerOptions, "adopted">,
  front?: MakeFront,
): Promise<number> {
  const server = new NodeServer({
    ...served,
    limits: DEFAULT_LIMITS,
    timeouts: DEFAULT_TIMEOUTS,
    onError: assert.fail,
    onAcceptError: assert.fail,
    ...(front && { front }),
  } as NodeServerOptions);
  context.after(() => server.destroy());
  return await listenBehindFront(server);
}

const STARTS: { readonly [what: string]: Start } = {
  TCP: async (context, listener) => ({
    port: await serve(context, { listener, upgrade: undefined }),
    tls: false,
  }),
  "TCP and a PROXY header": async (context, listener) => ({
    port: await serve(context, { listener, upgrade: undefined }, proxyFront),
    tls: false,
    preface: textHeader("192.0.2.1"),
  }),
  TLS: async (context, listener) => ({
    port: await serve(context, { listener, upgrade: undefined }, tlsFront()),
    tls: true,
  }),
  "TLS, to a server of the app's": async (context, listener) => ({
    port: await serve(context, { adopted: adopted(listener) }, tlsFront()),
    tls: true,
  }),
  "the TLS of the app's own server": async (context, listener) => {
    const server = createSecure(identity(), listener) as unknown as ReturnType<typeof createServer>;
    return { port: await serve(context, { adopted: { server, wrapper: undefined } }), tls: true };
  },
};

async function clientOf(context: TestContext, { port, tls, preface }: Server): Promise<RawClient> {
  const socket: Socket = tls
    ? connectTls({ port, host: "127.0.0.1", servername: "localhost", ...trusted() })
    : connect(port, "127.0.0.1");
  context.after(() => socket.destroy());
  await once(socket, tls ? "secureConnect" : "connect");
  const client = new RawClient(socket);
  if (preface !== undefined) client.send(preface);
  return client;
}

/** More than a socket's buffer on each Node. */
const AHEAD = 90_000;
const BEFORE = 3;
const REQUESTS = 9;

/** The content of the nth request, which is that of its response. */
const contentOf = (number: number): string => String(number).repeat(number < BEFORE ? AHEAD : 30_000);

function requestOf(number: number): string {
  const content = contentOf(number);
  const head = `POST /${number} HTTP/1.1\r\nHost: a\r\n`;
  return number % 2 === 0
    ? `${head}Content-Length: ${content.length}\r\n\r\n${content}`
    : `${head}Transfer-Encoding: chunked\r\n\r\n${content.length.toString(16)}\r\n${content}\r\n0\r\n\r\n`;
}

const requests = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, index) => requestOf(from + index)).join("");

/** How the client sends what comes while the parser is paused. */
const MANNERS: { readonly [manner: string]: (text: string) => readonly string[] } = {
  "in one piece": (text) => [text],
  "in pieces": (text) => {
    const random = new Random(7);
    const pieces: string[] = [];
    for (let at = 0; at < text.length; ) {
      const length = 1 + random.below(random.pick([3, 500, 20_000]));
      pieces.push(text.slice(at, at + length));
      at += length;
    }
    return pieces;
  },
};

function checkResponses(received: string): void {
  assert.deepEqual(statuses(received), Array(REQUESTS).fill(200));
  const contents = received.split(/HTTP\/1\.1 200 OK\r\n(?:[^\r]+\r\n)+\r\n/).slice(1);
  assert.ok(
    contents.every((content, number) => content === contentOf(number)),
    contents.map((content) => `${content.length} × ${content[0]}`).join(),
  );
}

/** An echo. @param before what a response waits for */
function echo(seen: string[], before: (target: string) => unknown = () => {}): RequestListener {
  return async (request, response) => {
    const target = request.url ?? "";
    seen.push(target);
    const content: Buffer[] = [];
    for await (const piece of request) content.push(piece);
    await before(target);
    response.end(Buffer.concat(content));
  };
}

async function allResponses(client: RawClient): Promise<string> {
  const last = contentOf(REQUESTS - 1);
  return await client.until(
    (received) => received.endsWith(last) && statuses(received).length === REQUESTS,
    "all responses",
  );
}

for (const [what, start] of Object.entries(STARTS))
  describe(`over ${what}`, () => {
    for (const [manner, split] of Object.entries(MANNERS)) {
      test(`requests ahead of a response that is late are all answered, sent ${manner}`, async (context) => {
        const seen: string[] = [];
        let release = (): void => {};
        const released = new Promise<void>((resolve) => {
          release = resolve;
        });
        const late = (target: string): unknown => (target === "/0" ? released : undefined);
        const server = await start(context, echo(seen, late));
        const client = await clientOf(context, server);
        client.send(requests(0, BEFORE));
        while (seen.length < BEFORE) await new Promise(setImmediate);
        for (const piece of split(requests(BEFORE, REQUESTS))) client.send(piece);
        // With this one the parser is paused.
        while (seen.length === BEFORE) await new Promise(setImmediate);
        release();
        checkResponses(await allResponses(client));
      });

      test(`requests ahead of a client that does not read are all answered, sent ${manner}`, async (context) => {
        const seen: string[] = [];
        const server = await start(context, echo(seen));
        const client = await clientOf(context, server);
        client.socket.pause();
        for (const piece of split(requests(0, REQUESTS))) client.send(piece);
        while (seen.length < BEFORE) await new Promise(setImmediate);
        client.socket.resume();
        checkResponses(await allResponses(client));
      });
    }
  });
