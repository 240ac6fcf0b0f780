/** The suite over the second server, which was written from docs/gateway.md alone. */
import { conformance } from "../../src/conformance/register.ts";
import { EXAMPLE_LACKS, startExample } from "./example-subject.ts";

conformance("examples/gateway-server", startExample, EXAMPLE_LACKS);
