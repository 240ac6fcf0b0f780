/** The conformance suite of the gateway, the corpus of HTTP and the cases of published vulnerabilities, over TLS. */
import { join } from "node:path";
import { test } from "node:test";
import { nodesForTls, passOverTls } from "../../support/over-tls.ts";

const TESTS = join(import.meta.dirname, "..", "..");

const FILES = ["conformance/engine", "http/engine-corpus", "http/servers", "http/cves/cves"].map((name) =>
  join(TESTS, `${name}.test.ts`),
);

for (const node of nodesForTls())
  test(`${node.version}: apps see over TLS what they see without`, async () => {
    await passOverTls(node, FILES, 800);
  });
