/** node's own server as tests see it: in this process, on a port of its own, with clients that send raw bytes. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, type TestContext } from "node:test";
import { placeHandle } from "../../src/adopt/placeholder-handle.ts";
import { ClientGone } from "../../src/errors.ts";
import { markInternal } from "../../src/server/node/listener-connections.ts";
import { NodeServer } from "../../src/server/node/node-server.ts";
import type {
  AdoptedServer,
  ServerEventsOptions,
  UpgradeListener,
} from "../../src/server/node/node-server-options.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from "../../src/server/server-options.ts";
import { RawClient } from "./engine.ts";
import { connectTo, listenBehindFront, OVER_TLS, tlsFront } from "./tls-front.ts";

export interface NodeEngine {
  readonly server: NodeServer;
  readonly port: number;
  client(): Promise<RawClient>;
}

/** The owner of the http.Server: we, or an app, as if it had made it listen. */
export type ServerOwner = "ours" | "the app's";
export const SERVER_OWNERS: readonly ServerOwner[] = ["ours", "the app's"];

type EngineOptions = Omit<NodeEngineOptions, "owner">;
/** `startNodeEngine` for one owner. */
export type StartNodeEngine = (
  test: TestContext,
  listener: RequestListener,
  options?: EngineOptions,
) => Promise<NodeEngine>;

/** Defines a suite twice: for a server of ours, and for one of the app's. */
export function onBothServers(suite: (start: StartNodeEngine) => void): void {
  for (const owner of SERVER_OWNERS) {
    describe(`the server is ${owner}`, () => {
      suite((test, listener, options) => startNodeEngine(test, listener, { ...options, owner }));
    });
  }
}

interface NodeEngineOptions extends Partial<ServerEventsOptions> {
  readonly upgrade?: UpgradeListener;
  /** Default: ours. */
  readonly owner?: ServerOwner;
}

/** Serves `listener` until the test ends. Without options that say otherwise, any error fails the test. */
export async function startNodeEngine(
  test: TestContext,
  listener: RequestListener,
  { owner = "ours", upgrade, ...options }: NodeEngineOptions = {},
): Promise<NodeEngine> {
  const server = new NodeServer({
    ...(owner === "ours" ? { listener, upgrade } : { adopted: adopted(listener, upgrade) }),
    limits: DEFAULT_LIMITS,
    timeouts: DEFAULT_TIMEOUTS,
    // Clients that disconnect are reported, too.
    onError: (error) => assert.ok(error.cause instanceof ClientGone, error),
    onAcceptError: (error) => assert.fail(error),
    ...options,
    ...(OVER_TLS && { front: tlsFront() }),
  });
  let port = 0;
  if (OVER_TLS) port = await listenBehindFront(server);
  else
    await server.open(async (http) => {
      // These are clients, whose requests a gate bounds.
      http.removeListener("connection", markInternal);
      http.listen(0, "127.0.0.1");
      await once(http, "listening");
      port = (http.address() as AddressInfo).port;
    });
  test.after(() => server.destroy());
  return {
    server,
    port,
    client: async () => new RawClient(await connectTo(port)),
  };
}

/** A server of an app that listens, as far as the app can tell. */
export function adopted(listener: RequestListener, upgrade?: UpgradeListener): AdoptedServer {
  const server = createServer(listener);
  if (upgrade !== undefined) server.on("upgrade", upgrade);
  placeHandle(server, { address: "127.0.0.1", family: "IPv4", port: 3000 }, () => {});
  return { server, wrapper: undefined };
}
