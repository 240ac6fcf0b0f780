/** Serves a listener on node's own http.Server, for the suite. */
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type Socket } from "node:net";
import type { Subject } from "../../src/conformance/exchange.ts";
import { exchangeOver } from "../../src/conformance/wire-client.ts";
import type { NodeListener } from "../../src/interop/node.ts";

export async function serveOn(listener: NodeListener): Promise<Subject> {
  const server = listener.attach(createServer());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const open = async (): Promise<Socket> => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    await once(socket, "connect");
    return socket;
  };
  return {
    connect: open,
    exchange: (request) => exchangeOver(open, request),
    drain: () => void listener.close(),
    close: async () => {
      await listener.close();
      server.closeAllConnections();
      if (server.listening) server.close();
    },
  };
}
