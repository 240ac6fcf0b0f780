/** TLS under the eyes of a scanner, and through an upgrade of the server under load. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { ask } from "../support/ask.ts";
import { askTls } from "../support/ask-tls.ts";
import { TestAuthority } from "../support/certificates.ts";
import { FIXTURES, isAlive, startCommand, temporaryFolder, until } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";

const APP = `${join(FIXTURES, "tls", "gateway.mjs")}:app`;

interface Finding {
  readonly id: string;
  readonly severity: string;
  readonly finding: string;
}

for (const key of ["ec", "rsa"] as const)
  test(`testssl finds nothing to complain of, with a key of ${key}`, async (context) => {
    if (!hasComponent(context, "testssl", "testssl.sh")) return;
    const folder = temporaryFolder(context);
    const kind = key === "rsa" ? { key: ["rsa:2048"] } : {};
    const { certificate, key: keyFile } = new TestAuthority(folder).sign("site", kind);
    const words = [APP, "-b", "127.0.0.1:0", "-w", "1", "--http-protocols", "h1,h2"];
    const command = startCommand(context, [...words, "--certfile", certificate, "--keyfile", keyFile], {
      cwd: folder,
    });
    await command.ready();
    const report = join(folder, "report.json");
    const quick = ["--quiet", "--color", "0", "--warnings", "batch", "--nodns", "none", "--ip", "127.0.0.1"];
    const checks = ["--protocols", "--vulnerable", "--jsonfile", report];
    const url = `https://localhost:${await command.port()}/`;
    // It exits with the number of its findings.
    await promisify(execFile)("testssl", [...quick, ...checks, url], { timeout: 120_000 }).catch(() => {});
    const findings = JSON.parse(readFileSync(report, "utf8")) as Finding[];
    const bad = findings.filter(({ severity }) => severity !== "OK" && severity !== "INFO");
    assert.deepEqual(bad, []);
    const said = new Map(findings.map(({ id, finding }) => [id, finding]));
    for (const old of ["SSLv2", "SSLv3", "TLS1", "TLS1_1"]) assert.equal(said.get(old), "not offered");
    assert.match(said.get("TLS1_3") ?? "", /^offered/);
    for (const id of ["heartbleed", "ticketbleed", "ROBOT", "secure_client_renego", "SWEET32", "LUCKY13"])
      assert.match(said.get(id) ?? "", /^not vulnerable/, id);
    assert.match(said.get("ALPN_HTTP2") ?? "", /h2/);
  });

test("USR2 under load loses no request; metrics say when the certificate ends", async (context) => {
  if (!hasComponent(context, "openssl")) return;
  const folder = temporaryFolder(context);
  const authority = new TestAuthority(folder);
  const { certificate, key } = authority.sign("site");
  const words = [APP, "-b", "127.0.0.1:0", "-w", "2", "--admin-bind", "127.0.0.1:0", "--no-control-socket"];
  const command = startCommand(context, [...words, "--certfile", certificate, "--keyfile", key], {
    cwd: folder,
  });
  await command.ready();
  const trust = { port: await command.port(), ca: authority.pem };

  const admin = /:(\d+)\/dashboard/.exec(await command.line(/Dashboard at/))?.[1];
  const { text } = await ask({ host: "127.0.0.1", port: Number(admin) }, "/metrics");
  const [, file, value] = /^tsgun_certificate_not_after_seconds\{file="([^"]*)"\} (\S+)$/m.exec(text) ?? [];
  const end = Date.parse(new X509Certificate(readFileSync(certificate)).validTo) / 1000;
  assert.deepEqual([file, Number(value)], [certificate, end]);

  const { session } = await askTls({ ...trust, maxVersion: "TLSv1.2" });
  const before = await askTls({ ...trust, maxVersion: "TLSv1.2", session });
  assert.ok(before.reused);
  let isOver = false;
  let answered = 0;
  const lost: unknown[] = [];
  const client = async (): Promise<void> => {
    while (!isOver)
      await askTls(trust).then(
        ({ json }) => {
          if (json.scheme === "https") answered += 1;
          else lost.push(json);
        },
        (error) => lost.push(error),
      );
  };
  const clients = Array.from({ length: 4 }, client);
  try {
    for (let time = 1; time <= 2; time += 1) {
      const [old = 0] = command.arbiters().slice(-1);
      process.kill(old, "SIGUSR2");
      await until("the old arbiter is gone", () => command.arbiters().length > time && !isAlive(old));
      const goal = answered + 20;
      await until("clients are answered", () => answered >= goal || lost.length > 0);
    }
  } finally {
    isOver = true;
    await Promise.all(clients);
  }
  assert.deepEqual(lost, []);
  // The new arbiter has keys of its own: a full handshake, and a new session that is good for it.
  const after = await askTls({ ...trust, maxVersion: "TLSv1.2", session });
  assert.equal(after.reused, false);
  const resumed = await askTls({ ...trust, maxVersion: "TLSv1.2", session: after.session });
  assert.equal(resumed.reused, true);
  assert.deepEqual(command.lines(/WARNING|ERROR/), []);
  process.kill(command.arbiters().at(-1) ?? 0, "SIGTERM");
  await command.ended();
});
