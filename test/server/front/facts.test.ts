import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { factsOf, rememberFacts } from "../../../src/server/front/facts.ts";

async function accepted(context: TestContext): Promise<Socket> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as { port: number }).port, "127.0.0.1");
  const [socket] = (await once(server, "connection")) as [Socket];
  context.after(() => {
    client.destroy();
    socket.destroy();
    server.close();
  });
  return socket;
}

const shown = ({ remoteAddress, remotePort, remoteFamily, localAddress, localPort, localFamily }: Socket) => [
  ...[remoteAddress, remotePort, remoteFamily],
  ...[localAddress, localPort, localFamily],
];

test("a socket shows the ends that it has been told, also when it has been asked before, and when it is closed", async (context) => {
  const socket = await accepted(context);
  assert.equal(socket.remoteAddress, "127.0.0.1");
  const facts = {
    isUnix: false,
    peer: { family: "ipv6", address: "2001:db8::7", port: 5 },
    local: { family: "ipv4", address: "192.0.2.1", port: 443 },
  } as const;
  rememberFacts(socket, facts);
  const told = ["2001:db8::7", 5, "IPv6", "192.0.2.1", 443, "IPv4"];
  assert.deepEqual(shown(socket), told);
  assert.equal(factsOf(socket), facts);
  socket.destroy();
  await once(socket, "close");
  // As in Node, a closed socket has no local end.
  assert.deepEqual(shown(socket).slice(0, 3), told.slice(0, 3));
});

test("a told Unix socket has no address, and what is not told stays", async (context) => {
  const socket = await accepted(context);
  rememberFacts(socket, { isUnix: false, peer: { family: "unix", address: "/run/a", port: 0 } });
  assert.deepEqual(shown(socket).slice(0, 4), [undefined, undefined, undefined, "127.0.0.1"]);
});
