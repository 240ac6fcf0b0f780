/** The suites of both servers, with connections that go through a front with a stage of TLS. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { nodesForTls, passOverTls } from "../../support/over-tls.ts";

const SERVER = join(import.meta.dirname, "..");
const ENGINE = join(SERVER, "engine");

const FILES = [
  ...readdirSync(ENGINE)
    // Its client is fetch, which does not know the authority.
    .filter((name) => name !== "date.test.ts")
    .map((name) => join(ENGINE, name)),
  ...["websocket", "content-fault", "content-pace", "deadlines", "exchange-ends"].map((name) =>
    join(SERVER, `${name}.test.ts`),
  ),
  ...["node-server", "close-connections", "pipelined", "drain"].map((name) =>
    join(SERVER, "node", `${name}.test.ts`),
  ),
];

for (const node of nodesForTls())
  test(`${node.version}: both servers keep their contract over TLS`, async () => {
    await passOverTls(node, FILES, 400);
  });
