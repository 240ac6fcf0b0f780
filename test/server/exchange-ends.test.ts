/** Each exchange is counted once, however it ends, and with the status that the client got: the same for all servers. */
import assert from "node:assert/strict";
import type { IncomingMessage, RequestListener } from "node:http";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { ProxyRules } from "../../src/exchange/proxy-rules.ts";
import type { App, Handler } from "../../src/gateway/types.ts";
import { AccessLog } from "../../src/log/access-log.ts";
import type { UpgradeListener } from "../../src/server/node/node-server-options.ts";
import { PageMeter } from "../../src/worker/page-meter.ts";
import { BoardPage } from "../support/board-page.ts";
import { temporaryFolder, until } from "../support/command.ts";
import { startEngine } from "../support/engine.ts";
import { SERVER_OWNERS, startNodeEngine } from "../support/node-engine.ts";
import { CASES, head, type Options, type Served } from "./exchange-cases.ts";

const LATER_MS = 100;

const handle: Handler = async (request, respond) => {
  const piece = async () => {
    const writer = respond(200, null);
    await writer.write("piece");
    await writer.flush();
    return writer;
  };
  switch (request.path) {
    case "/throws":
      throw new Error("thrown by the app");
    case "/never":
      return await new Promise(() => {});
    case "/later":
      await new Promise((resolve) => setTimeout(resolve, LATER_MS));
      return respond(200, null, "later");
    case "/stream": {
      const writer = respond(200, null);
      await writer.write("stream");
      return writer.end("ed");
    }
    case "/truncated":
      return (await piece()).destroy();
    case "/endless":
      await piece();
      return await new Promise(() => {});
    case "/body":
      return respond(200, null, `${(await request.body.bytes()).length}`);
    default:
      return respond(200, null, "plain");
  }
};
const app: App = {
  handle,
  upgrade: (request, respond) => {
    if (request.method === "CONNECT") return respond(501, null, "no");
    if (request.path === "/ignored") return new Promise(() => {});
    if (request.path === "/refused") return respond(403, null, "no");
    const socket = respond.upgrade({ upgrade: "echo" });
    socket.resume().on("end", () => socket.end());
  },
};

const bodyLength = async (request: IncomingMessage): Promise<number> => {
  let length = 0;
  for await (const chunk of request) length += (chunk as Buffer).length;
  return length;
};

const listener: RequestListener = async (request, response) => {
  switch (request.url?.split("?")[0]) {
    case "/throws":
      throw new Error("thrown by the app");
    case "/never":
      return;
    case "/later":
      setTimeout(() => response.end("later"), LATER_MS);
      return;
    case "/stream":
      response.write("stream");
      response.write("ed");
      response.end();
      return;
    case "/truncated":
      response.write("piece", () => response.destroy());
      return;
    case "/endless":
      response.write("piece");
      return;
    case "/body":
      response.end(`${await bodyLength(request)}`);
      return;
    default:
      response.end("plain");
  }
};
const upgrade: UpgradeListener = (request, socket) => {
  if (request.url === "/refused") socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  else if (request.url === "/upgrade") {
    socket.resume().on("end", () => socket.end());
    socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n");
  }
};

const ENGINE = "the engine";

const SERVERS: { readonly [what: string]: (context: TestContext, options: Options) => Promise<Served> } = {
  [ENGINE]: async (context, options) => {
    const engine = await startEngine(context, app, options);
    return { server: engine.server, client: () => engine.connect() };
  },
  ...Object.fromEntries(
    SERVER_OWNERS.map((owner) => [
      `node's server, ${owner}`,
      async (context: TestContext, options: Options): Promise<Served> =>
        await startNodeEngine(context, listener, { ...options, owner, upgrade, onError: () => {} }),
    ]),
  ),
};

function accessLog(context: TestContext): AccessLog {
  return new AccessLog({
    target: join(temporaryFolder(context), "access.log"),
    format: "combined",
    worker: { pid: 1, slot: 1, env: {} },
    nearest: () => undefined,
    syslog: undefined,
    onTrouble: assert.fail,
  });
}

for (const [what, start] of Object.entries(SERVERS)) {
  for (const logs of [false, true]) {
    describe(`${what}${logs ? ", with an access log" : ""}`, { concurrency: true }, () => {
      for (const { name, options, sends, receives, next, left = [], ...each } of CASES) {
        const counts = (what === ENGINE && each.engineCounts) || each.counts;
        test(name, async (context) => {
          const board = new BoardPage(context);
          const page = board.writer();
          const log = logs ? { accessLog: accessLog(context) } : {};
          const served = await start(context, { ...options, ...log, meter: new PageMeter(page) });
          const client = await served.client();
          client.send(sends);
          if (receives !== undefined) await client.until((received) => receives.test(received));
          else await until("the request is in flight", () => page.requestsInFlight === 1);
          await next?.(client, served);
          const isCounted = (): boolean => {
            page.flush();
            return page.requestsInFlight === left.length && same(board.counts(), counts);
          };
          try {
            await until("it is counted", isCounted, 5000);
          } catch {
            assert.deepEqual(board.counts(), counts);
          }
          client.socket.destroy();
          await until("the connection is closed", () => left.length > 0 || served.server.connections === 0);
          assert.ok(isCounted(), "it is counted again when the connection closes");
          assert.deepEqual(
            board.requests().map(({ target }) => target),
            left,
          );
        });
      }
    });
  }
}

function same(counts: { [key: string]: number }, expected: { readonly [key: string]: number }): boolean {
  const sorted = (all: object): string => JSON.stringify(Object.entries(all).sort());
  return sorted(counts) === sorted(expected);
}

describe("queue time", () => {
  for (const [what, start] of Object.entries(SERVERS)) {
    test(`${what}: counts X-Request-Start of trusted peers alone`, async (context) => {
      for (const [trusted, seen] of [
        ["127.0.0.1", 2],
        ["10.0.0.1", undefined],
      ] as const) {
        const board = new BoardPage(context);
        const page = board.writer();
        const proxyRules = new ProxyRules([trusted]);
        const { client } = await start(context, { meter: new PageMeter(page), proxyRules });
        const raw = await client();
        const now = Date.now();
        const values = [`t=${(now - 40) / 1000}`, `${now + 5000}`, "t=yesterday"];
        raw.send(values.map((value) => head("GET", "/plain", `X-Request-Start: ${value}`)).join(""));
        await raw.until((received) => received.split("plain").length === 4);
        await until("they have ended", () => page.requestsInFlight === 0);
        page.flush();
        const { queue } = board.counts();
        assert.equal(queue, seen, trusted);
        const sum = board.series().get("queue")?.sum ?? 0;
        if (seen !== undefined) assert.ok(sum >= 0.04 && sum < 10, `${sum}`);
        raw.socket.destroy();
      }
    });
  }
});
