/**
 * Checks that our responses are read the same by curl, node's client (llhttp), fetch (undici), nginx and HAProxy: whole responses of every
 * framing, and none that breaks off is ever taken for complete.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { workerInfo } from "../../../src/interop/worker-info.ts";
import { GatewayServer } from "../../../src/server/engine/gateway-server.ts";
import { NodeServer } from "../../../src/server/node/node-server.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from "../../../src/server/server-options.ts";
import { cleanUp, temporaryFolder } from "../../support/command.ts";
import { hasComponent } from "../../support/component.ts";
import { RunningProxy } from "./proxy.ts";
import { gatewayApp, KINDS, nodeApp } from "./response-kinds.ts";

const METHODS = ["GET", "HEAD"] as const;

interface Reading {
  readonly status: number;
  readonly body: string;
}

/** Returns undefined for a response that is not complete. */
type Reader = (method: string, kind: string) => Promise<Reading | undefined>;

interface Place {
  readonly port: number;
  readonly socket: string;
}

async function serve(t: TestContext, server: "gateway" | "node", socket: string): Promise<Place> {
  const settings = {
    limits: DEFAULT_LIMITS,
    timeouts: DEFAULT_TIMEOUTS,
    onError: () => {},
    onAcceptError: assert.fail,
  };
  if (server === "gateway") {
    const worker = workerInfo({ slot: 1, generation: 1, drain: new AbortController().signal });
    const engine = new GatewayServer({ handle: gatewayApp }, { ...settings, worker, state: undefined });
    const tcp = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
    const unix = createServer({ allowHalfOpen: true }).listen(socket);
    await Promise.all([once(tcp, "listening"), once(unix, "listening")]);
    for (const listener of [tcp, unix]) engine.adopt(listener);
    cleanUp(t, () => {
      for (const listener of [tcp, unix]) listener.close();
      engine.destroy();
    });
    return { port: (tcp.address() as AddressInfo).port, socket };
  }
  const node = new NodeServer({ ...settings, listener: nodeApp, upgrade: undefined });
  let port = 0;
  await node.open(async (tcp) => {
    tcp.listen(0, "127.0.0.1");
    await once(tcp, "listening");
    port = (tcp.address() as AddressInfo).port;
  });
  await node.open(async (unix) => {
    unix.listen(socket);
    await once(unix, "listening");
  });
  cleanUp(t, () => node.destroy());
  return { port, socket };
}

/** node's client, which reads with llhttp. */
function byNode(at: { readonly port: number } | { readonly socketPath: string }): Reader {
  return (method, kind) =>
    new Promise((resolve) => {
      const request = httpRequest({ ...at, host: "127.0.0.1", method, path: `/${kind}` }, (response) => {
        let body = "";
        response.setEncoding("latin1").on("data", (text: string) => {
          body += text;
        });
        response.on("error", () => resolve(undefined));
        response.on("end", () => {
          resolve(response.complete ? { status: response.statusCode ?? 0, body } : undefined);
        });
      });
      request.on("error", () => resolve(undefined)).end();
    });
}

/** Behind a proxy a response that breaks off may also be its own error. */
function byProxy(entrance: string): Reader {
  const read = byNode({ socketPath: entrance });
  return async (method, kind) => {
    const reading = await read(method, kind);
    return reading?.status === 502 ? undefined : reading;
  };
}

function byFetch({ port }: Place): Reader {
  return async (method, kind) => {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/${kind}`, { method });
      return { status: response.status, body: Buffer.from(await response.arrayBuffer()).toString("latin1") };
    } catch {
      return undefined;
    }
  };
}

function byCurl({ port }: Place): Reader {
  return (method, kind) =>
    new Promise((resolve) => {
      const words = ["-s", "-o", "-", "-w", "%{stderr}%{http_code}", method === "HEAD" ? "-I" : "-X", "GET"];
      const flags = method === "HEAD" ? words.slice(0, -1) : words;
      const url = `http://127.0.0.1:${port}/${kind}`;
      execFile("curl", [...flags, url], { encoding: "latin1" }, (error, stdout, stderr) => {
        resolve(
          error === null ? { status: Number(stderr), body: method === "HEAD" ? "" : stdout } : undefined,
        );
      });
    });
}

async function proxied(
  t: TestContext,
  name: "nginx" | "haproxy",
  folder: string,
  upstream: string,
): Promise<Reader> {
  const entrance = join(folder, `${name}.in`);
  const lane = { name: "responses", entrance, upstream, secret: "x", streams: true, lenient: false };
  const proxy = await RunningProxy.start(name, folder, [lane]);
  cleanUp(t, () => proxy.stop());
  return byProxy(entrance);
}

for (const server of ["gateway", "node"] as const) {
  test(`the responses of a ${server} app`, async (context) => {
    if (!["curl", "nginx", "haproxy"].every((program) => hasComponent(context, program))) return;
    const folder = temporaryFolder(context);
    const place = await serve(context, server, join(folder, "app.sock"));
    const readers: Record<string, Reader> = {
      curl: byCurl(place),
      "node's client": byNode({ port: place.port }),
      fetch: byFetch(place),
      nginx: await proxied(context, "nginx", folder, place.socket),
      haproxy: await proxied(context, "haproxy", folder, place.socket),
    };
    for (const [reader, read] of Object.entries(readers)) {
      await context.test(`as ${reader} reads them`, async () => {
        for (const [name, kind] of Object.entries(KINDS)) {
          // nginx takes a 103 for the response itself before version 1.29, and waits for the content.
          if (reader === "nginx" && name === "hints") continue;
          const content = server === "node" ? (kind.nodeBody ?? kind.body) : kind.body;
          for (const method of METHODS) {
            // The head of a response to HEAD is all of it.
            if (method === "HEAD" && content === undefined) continue;
            const expected =
              content === undefined
                ? undefined
                : { status: kind.status, body: method === "HEAD" ? "" : content };
            assert.deepEqual(await read(method, name), expected, `${method} ${name}`);
          }
        }
      });
    }
  });
}
