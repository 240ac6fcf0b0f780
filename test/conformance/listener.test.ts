/** The suite over both bridges: an app as a node listener, and that listener as a handler on node's http.Server. */

import type { StartSubject } from "../../src/conformance/exchange.ts";
import { conformance } from "../../src/conformance/register.ts";
import { fromNodeListener, toNodeListener } from "../../src/interop/node.ts";
import { serveOn } from "./node-subject.ts";

const start: StartSubject = async (app, options) => {
  const inner = toNodeListener(app, options);
  const handler = fromNodeListener(inner, { upgrade: inner.upgrade });
  const subject = await serveOn(toNodeListener(handler, { onError: () => {}, shutdownTimeout: 200 }));
  return {
    ...subject,
    drain: () => void inner.close(),
    close: async () => {
      await inner.close();
      await subject.close();
    },
  };
};

const PASSING =
  "the head is still passing through the bridge when the app reads the body, so 100 precedes it";

conformance("fromNodeListener", start, {
  "dressed-refusals": "Node's parser answers by itself",
  "a later version of HTTP/1 is 1.1, or refused with 505": "Node's parser answers with 400",
  "100 Continue is not sent after the final head": PASSING,
  "a client that waits gets no 100 Continue after the final head": PASSING,
  "reading continues after the response if it has begun":
    "node's server, inside the bridge, discards the rest of a request after its response",
});
