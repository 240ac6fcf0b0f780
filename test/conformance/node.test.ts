/** The suite over `toNodeListener`, on node's own http.Server. */
import { toNodeListener } from "../../src/interop/node.ts";
import type { StartSubject } from "./exchange.ts";
import { serveOn } from "./node-subject.ts";
import { conformance } from "./suite.ts";

const start: StartSubject = (app, options) => serveOn(toNodeListener(app, options));

conformance("toNodeListener", start, { wire: true });
