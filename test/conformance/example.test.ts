/** The suite over the second server, which was written from docs/gateway.md alone. */

import { conformance } from "../../src/conformance/register.ts";
import { startExample } from "./example-subject.ts";

conformance("examples/gateway-server", startExample, {
  proxies: "it trusts no proxy (4.4.6)",
});
