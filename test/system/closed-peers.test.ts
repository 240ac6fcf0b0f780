/** Detecting TCP peers on this machine that have closed their socket, for each address family of a listener. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { describe, type TestContext, test } from "node:test";
import { withClosedPeers } from "../../src/system/closed-peers.ts";
import { until } from "../support/command.ts";

const IPV6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === "::1"),
);
const skip = process.platform !== "linux" && "Linux only";

async function accepted(
  context: TestContext,
  listenAt: string,
  connectTo: string,
): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true }).listen(0, listenAt);
  context.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const client = connect({ host: connectTo, port, allowHalfOpen: true });
  context.after(() => client.destroy());
  const [socket] = (await once(server, "connection")) as [Socket];
  context.after(() => socket.destroy());
  socket.resume();
  return [socket, client];
}

describe("finds a peer that has closed its socket, not one that has only shut down its sending side", {
  skip,
}, () => {
  for (const [listenAt, connectTo] of [
    ["127.0.0.1", "127.0.0.1"],
    ["::1", "::1"],
    ["::", "127.0.0.1"],
  ] as const) {
    const noIpv6 = listenAt.includes(":") && !IPV6 && "this machine has no IPv6";
    test(`from ${connectTo} to ${listenAt}`, { skip: noIpv6 }, async (context) => {
      const [half, halfClient] = await accepted(context, listenAt, connectTo);
      const [closed, closedClient] = await accepted(context, listenAt, connectTo);
      const ends = [once(half, "end"), once(closed, "end")];
      halfClient.end();
      closedClient.destroy();
      await Promise.all(ends);
      await until("the closed peer is found", async () => (await withClosedPeers([half, closed])).length > 0);
      assert.deepEqual(await withClosedPeers([half, closed]), [closed]);
    });
  }
});
