/** node's own server as tests see it: in this process, on a port of its own, with clients that send raw bytes. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { RequestListener } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { TestContext } from "node:test";
import { ClientGone } from "../../src/errors.ts";
import { NodeServer } from "../../src/server/node/node-server.ts";
import type { NodeServerOptions } from "../../src/server/node/node-server-options.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from "../../src/server/server-options.ts";
import { RawClient } from "./engine.ts";

export interface NodeEngine {
  readonly server: NodeServer;
  client(): Promise<RawClient>;
}

/** Serves `listener` until the test ends. Without options that say otherwise, any error fails the test. */
export async function startNodeEngine(
  test: TestContext,
  listener: RequestListener,
  options: Partial<NodeServerOptions> = {},
): Promise<NodeEngine> {
  const server = new NodeServer({
    listener,
    upgrade: undefined,
    limits: DEFAULT_LIMITS,
    timeouts: DEFAULT_TIMEOUTS,
    // Clients that disconnect are reported, too.
    onError: (error) => assert.ok(error.cause instanceof ClientGone, error),
    onAcceptError: (error) => assert.fail(error),
    ...options,
  });
  let port = 0;
  await server.open(async (http) => {
    http.listen(0, "127.0.0.1");
    await once(http, "listening");
    port = (http.address() as AddressInfo).port;
  });
  test.after(() => server.destroy());
  return {
    server,
    client: async () => {
      const socket = connect({ port, host: "127.0.0.1" });
      await once(socket, "connect");
      return new RawClient(socket);
    },
  };
}
