/** The second server under the suite, by the adapter that docs/gateway.md (section 15) shows. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { serve } from "../../examples/gateway-server/server.ts";
import { exchangeOver, type Lacks, type StartSubject } from "../../src/conformance/index.ts";

export const startExample: StartSubject = async (app, options) => {
  const server = await serve(app, options);
  const open = async (): Promise<Socket> => {
    const socket = connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: true });
    await once(socket, "connect");
    return socket;
  };
  return {
    connect: open,
    exchange: (request) => exchangeOver(open, request),
    drain: () => server.drain(),
    close: () => server.close(),
  };
};

/** As examples/gateway-server/README.md says. */
export const EXAMPLE_LACKS: Lacks = { proxies: "it trusts no proxy (4.4.4, 4.4.6)" };
