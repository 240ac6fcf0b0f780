/** `--admin-bind` over TLS: health checks and metrics, and a new certificate by a reload or an upgrade. */
import assert from "node:assert/strict";
import { chmodSync, copyFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { askTls } from "../support/ask-tls.ts";
import { TestAuthority } from "../support/certificates.ts";
import { FIXTURES, startCommand, temporaryFolder } from "../support/command.ts";

test("health and metrics are served over TLS, and reloads and upgrades renew the certificate or fail", async (context) => {
  const folder = temporaryFolder(context);
  const authority = new TestAuthority(folder);
  authority.sign("first");
  authority.sign("second");
  const use = (name: string): void => {
    for (const end of ["pem", "key"])
      copyFileSync(join(folder, `${name}.${end}`), join(folder, `admin.${end}`));
  };
  use("first");
  chmodSync(join(folder, "admin.key"), 0o644);
  const command = startCommand(
    context,
    [
      `${join(FIXTURES, "tls", "gateway.mjs")}:app`,
      ...["-b", "127.0.0.1:0", "--admin-bind", "127.0.0.1:0"],
      ...["--admin-certfile", "admin.pem", "--admin-keyfile", "admin.key"],
    ],
    { cwd: folder },
  );
  await command.ready();
  await command.line(/WARNING.*admin-keyfile: other users may read or write admin\.key/);
  const url = /Health at: (\S+)/.exec(await command.line(/Health at: /))?.[1] ?? "";
  assert.match(url, /^https:/);
  const trust = { port: Number(new URL(url).port), ca: authority.pem };
  const health = await askTls(trust, "GET /health/ready HTTP/1.1");
  assert.match(health.text, /^HTTP\/1\.1 200/);
  assert.equal(health.server, "first");
  assert.match((await askTls(trust, "GET /metrics HTTP/1.1")).text, /^tsgun_/m);
  assert.deepEqual(await command.urls().then((urls) => urls.map((each) => each.slice(0, 5))), ["http:"]);

  use("second");
  command.kill("SIGHUP");
  await command.ready(2);
  assert.equal((await askTls(trust, "GET /health/live HTTP/1.1")).server, "second");

  copyFileSync(join(folder, "first.key"), join(folder, "admin.key"));
  command.kill("SIGHUP");
  await command.line(/admin-keyfile: admin\.key is not the key of the certificate in admin\.pem/);
  assert.equal((await askTls(trust, "GET /health/live HTTP/1.1")).server, "second");

  command.kill("SIGUSR2");
  await command.line(/Upgrade failed.*admin-keyfile: admin\.key is not the key/);
  assert.equal((await askTls(trust, "GET /health/ready HTTP/1.1")).server, "second");

  use("first");
  command.kill("SIGUSR2");
  await command.line(/previous arbiter .* has exited/);
  assert.equal((await askTls(trust, "GET /health/ready HTTP/1.1")).server, "first");
});
