/** The suite over HTTP/2 and the bridge: an app as a node listener, which gets node's objects for HTTP/2. */
import type { RequestListener } from "node:http";
import type { StartSubject } from "../../src/conformance/exchange.ts";
import { conformance } from "../../src/conformance/register.ts";
import { toNodeListener } from "../../src/interop/node.ts";
import { openHttp2Listener } from "../support/http2-listener.ts";
import { exchangeOverHttp2, NOT_OF_HTTP2 } from "../support/http2-suite.ts";

const start: StartSubject = async (app, options) => {
  const inner = toNodeListener(app, options);
  const { port, server } = await openHttp2Listener(inner as RequestListener);
  return {
    exchange: (request) => exchangeOverHttp2(port, request),
    drain: () => void inner.close(),
    close: async () => {
      await inner.close();
      server.destroy();
    },
  };
};

const CONTINUE = "the server sends 100 Continue before it calls a node listener";

conformance("a node listener over HTTP/2", start, {
  ...NOT_OF_HTTP2,
  "100 Continue is not sent after the final head": CONTINUE,
  "content that is declared too long is refused without 100 Continue": CONTINUE,
});
