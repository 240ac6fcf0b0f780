/** The strength of certificates that openssl makes. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { strengthOf } from "../../src/tls/strength.ts";
import { TestAuthority } from "../support/certificates.ts";
import { temporaryFolder } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";

test("keys of all kinds, and hashes of signatures", (context) => {
  if (!hasComponent(context, "openssl")) return;
  const folder = temporaryFolder(context);
  const authority = new TestAuthority(folder);
  const curve = (name: string): string[] => ["ec", "-pkeyopt", `ec_paramgen_curve:${name}`];
  const kinds: [key: string[], hash: string, expected: [string, number | undefined, string | undefined]][] = [
    [["rsa:1024"], "sha256", ["rsa", 1024, undefined]],
    [["rsa:2048"], "sha1", ["rsa", 2048, "SHA-1"]],
    [curve("prime192v1"), "sha384", ["ec", 192, undefined]],
    [curve("secp521r1"), "sha256", ["ec", 521, undefined]],
    [["ed25519"], "sha1", ["ed25519", undefined, "SHA-1"]],
  ];
  for (const [number, [key, hash, [kind, bits, weakHash]]] of kinds.entries()) {
    const file = authority.sign(`site${number}`, { key, hash }).certificate;
    const strength = strengthOf(new X509Certificate(readFileSync(file)));
    assert.deepEqual(strength, { subject: `site${number}`, key: kind, bits, weakHash }, hash);
  }
});

test("nobody checks a root's own signature; one of RSA with SHA-1 and MD5", (context) => {
  if (!hasComponent(context, "openssl")) return;
  const folder = temporaryFolder(context);
  const run = (...args: string[]): void => {
    execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  };
  const root = ["-newkey", "rsa:2048", "-nodes", "-sha1", "-subj", "/CN=Root/O=Shop"];
  run("req", "-x509", ...root, "-keyout", "root.key", "-out", "root.pem");
  run("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/O=Shop", "-keyout", "site.key", "-out", "site.csr");
  const read = (name: string) => strengthOf(new X509Certificate(readFileSync(join(folder, name))));
  assert.deepEqual(read("root.pem"), { subject: "Root", key: "rsa", bits: 2048, weakHash: undefined });
  for (const [hash, weakHash] of [
    ["md5", "MD5"],
    ["sha1", "SHA-1"],
    ["sha256", undefined],
  ] as const) {
    const by = ["-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", `-${hash}`];
    run("x509", "-req", "-in", "site.csr", ...by, "-out", "site.pem");
    assert.deepEqual(read("site.pem"), { subject: "O=Shop", key: "rsa", bits: 2048, weakHash });
  }
});
