/** The suite over both bridges: node's http.Server, a listener of it as a handler, the app in a listener. */
import { fromNodeListener, toNodeListener } from "../../src/interop/node.ts";
import type { StartSubject } from "./exchange.ts";
import { serveOn } from "./node-subject.ts";
import { conformance } from "./suite.ts";

const start: StartSubject = async (app, options) => {
  const inner = toNodeListener(app, options);
  const handler = fromNodeListener(inner, { upgrade: inner.upgrade });
  const subject = await serveOn(toNodeListener(handler, { onError: () => {} }));
  return {
    ...subject,
    drain: () => void inner.close(),
    close: async () => {
      await inner.close();
      await subject.close();
    },
  };
};

conformance("fromNodeListener", start, {
  wire: true,
  lacks: {
    "100 Continue is not sent after the final head":
      "the head is on its way through the bridge when the body is asked for, so 100 comes before it",
    "reading continues after the response if it has begun":
      "node's server, inside the bridge, throws away what is left of a request that has been answered",
  },
});
