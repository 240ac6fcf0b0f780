/** `tsgun doctor` predicts which upstream certificates a real nginx refuses for their names. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Report } from "../../src/deploy/doctor/report.ts";
import { ask } from "../support/ask.ts";
import { TestAuthority } from "../support/certificates.ts";
import { FIXTURES, startCommand, temporaryFolder } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { examine } from "../support/doctor.ts";
import { startNginx } from "../support/nginx.ts";

const VERIFY = "proxy_ssl_verify on;";
const SEND = "proxy_ssl_server_name on;";
const PLACES: readonly [path: string, directives: string, upstream: "group" | "address", status: number][] = [
  ["/unverified", "", "group", 200],
  ["/group", VERIFY, "group", 502],
  ["/first", `${VERIFY} proxy_ssl_name one.test;`, "group", 200],
  ["/second", `${VERIFY} proxy_ssl_name two.test;`, "group", 502],
  ["/sent", `${VERIFY} ${SEND} proxy_ssl_name two.test;`, "group", 200],
  ["/capitals", `${VERIFY} ${SEND} proxy_ssl_name TWO.test;`, "group", 200],
  ["/wildcard", `${VERIFY} ${SEND} proxy_ssl_name a.wild.test;`, "group", 200],
  ["/label", `${VERIFY} ${SEND} proxy_ssl_name a.b.wild.test;`, "group", 502],
  ["/domain", `${VERIFY} ${SEND} proxy_ssl_name wild.test;`, "group", 502],
  ["/host", `${VERIFY} ${SEND} proxy_ssl_name $host;`, "group", 200],
  ["/unsent-host", `${VERIFY} proxy_ssl_name $host;`, "group", 502],
  // It has the certificate of one.test.
  ["/address", VERIFY, "address", 502],
  ["/named-address", `${VERIFY} proxy_ssl_name one.test;`, "address", 200],
];

test("a certificate without the name that nginx verifies is found and gives 502, and no other", async (context) => {
  if (!hasComponent(context, "nginx") || !hasComponent(context, "openssl")) return;
  const folder = temporaryFolder(context);
  const authority = new TestAuthority(folder);
  const files = ["DNS:one.test,IP:127.0.0.1", "DNS:two.test", "DNS:*.wild.test"].flatMap((names, index) => {
    const { certificate, key } = authority.sign(`site${index}`, { names });
    return ["--certfile", certificate, "--keyfile", key];
  });
  const app = `${join(FIXTURES, "tls", "gateway.mjs")}:app`;
  const command = startCommand(context, [app, "-b", "127.0.0.1:0", "--no-control-socket", ...files]);
  await command.ready();
  const port = await command.port();
  const locations = PLACES.map(
    ([path, directives, upstream]) =>
      `location = ${path} { proxy_pass https://${upstream === "group" ? "app" : `127.0.0.1:${port}`}; ${directives} }`,
  );
  const nginx = await startNginx(context, folder, {
    upstream: `server 127.0.0.1:${port};`,
    server: [
      "server_name two.test;",
      `proxy_ssl_trusted_certificate ${authority.file};`,
      // A resumed session would have the certificate of another location.
      "proxy_ssl_session_reuse off;",
      ...locations,
    ].join("\n"),
  });
  // In this form the target names the host.
  const status = async (path: string): Promise<number> =>
    (await ask({ host: "127.0.0.1", port: nginx.port }, `http://two.test${path}`)).status;
  const answers = await Promise.all(PLACES.map(async ([path]) => [path, await status(path)]));
  assert.deepEqual(
    answers,
    PLACES.map(([path, , , status]) => [path, status]),
    nginx.errors(),
  );

  const site = join(folder, "nginx.conf");
  const words = [app, "--bind", `127.0.0.1:${port}`, ...files];
  const { findings } = JSON.parse(
    examine(folder, "--json", "--nginx", site, "--", ...words).stdout,
  ) as Report;
  const lines = readFileSync(site, "utf8").split("\n");
  const predicted = findings
    .filter(({ rule }) => rule === "nginx-tls-name")
    .map(({ where }) => /location = (\S+)/.exec(lines[Number(where.split(":").at(-1)) - 1] ?? "")?.[1]);
  assert.deepEqual(
    new Set(predicted),
    new Set(PLACES.filter(([, , , status]) => status === 502).map(([path]) => path)),
  );
});
