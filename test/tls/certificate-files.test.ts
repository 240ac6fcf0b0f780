/** The files of TLS: each fault is one line that names the setting and the file. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { makeConfig } from "../../src/config/config.ts";
import { ExitCode, type FatalError } from "../../src/errors.ts";
import { readTls } from "../../src/tls/certificate-files.ts";
import { encryptKey, TestAuthority } from "../support/certificates.ts";

const folder = mkdtempSync(join(tmpdir(), "tsgun-"));
after(() => rmSync(folder, { recursive: true }));

const authority = new TestAuthority(folder);
authority.sign("good", { names: "DNS:Good.test,DNS:*.good.test,IP:127.0.0.1" });
const other = authority.sign("other");
authority.sign("ended", { days: -1 });
authority.sign("small", { key: ["rsa:1024"] });
const encrypted = encryptKey(join(folder, "good.key"), "right");
const text = (name: string): string => readFileSync(join(folder, name), "utf8");
const file = (name: string, content: string, mode = 0o600): void =>
  writeFileSync(join(folder, name), content, { mode });
for (const name of ["good", "other", "ended", "small"]) chmodSync(join(folder, `${name}.key`), 0o600);
chmodSync(encrypted, 0o600);
file("both.pem", text("good.pem") + text("good.key"));
file("chain.pem", text("good.pem") + text("authority.pem"));
file("reversed.pem", text("authority.pem") + text("good.pem"));
file("mixed.pem", text("good.pem") + text("other.pem"));
file("broken.pem", text("good.pem").replace(/\n(.{10})/, "\nAAAAAAAAAA"));
file("empty.pem", "");
file("open.key", text("good.key"));
chmodSync(join(folder, "open.key"), 0o644);
file("passwords", "wrong\nright\n");
file("wrong-password", "wrong\n");
file("no-password", "\n\n");
mkdirSync(join(folder, "folder"));
symlinkSync("good.pem", join(folder, "link.pem"));

const read = (values: Record<string, unknown>) =>
  readTls(makeConfig([{ values, origin: (name) => name }]), folder);

describe("what fits", () => {
  const good: Record<string, Record<string, unknown>> = {
    "a certificate and a key": { certfile: "good.pem", keyfile: "good.key" },
    "both in one file": { certfile: "both.pem" },
    "with its chain": { certfile: "chain.pem", keyfile: "good.key" },
    "by a link": { certfile: "link.pem", keyfile: "good.key" },
    "with a password": { certfile: "good.pem", keyfile: encrypted, keyfilePassword: "right" },
    "with passwords to try": { certfile: "good.pem", keyfile: encrypted, keyfilePasswordFile: "passwords" },
  };
  for (const [name, values] of Object.entries(good)) {
    test(name, async () => {
      const found = await read(values);
      assert.deepEqual(found?.warnings, []);
      const [certificate] = found?.material.certificates ?? [];
      assert.deepEqual(certificate?.names, ["good.test", "*.good.test"]);
      assert.match(certificate?.key ?? "", /^-----BEGIN PRIVATE KEY-----/);
      assert.ok((certificate?.notAfter ?? 0) > Date.now());
    });
  }

  test("nothing without TLS", async () => assert.equal(await read({}), undefined));
});

describe("what does not", () => {
  const bad: [values: Record<string, unknown>, message: RegExp][] = [
    [{ certfile: "none.pem" }, /^certfile: \/.*\/none\.pem does not exist$/],
    [{ certfile: "folder" }, /^certfile: \/.*\/folder is a folder$/],
    [{ certfile: "empty.pem" }, /^certfile: .*empty\.pem is empty$/],
    [{ certfile: "good.key" }, /^certfile: .*good\.key contains no certificate in PEM$/],
    [
      { certfile: "broken.pem" },
      /^certfile: .*broken\.pem has a certificate that cannot be parsed \(number 1 of 1\)$/,
    ],
    [{ certfile: "good.pem" }, /^certfile: .*good\.pem contains no private key in PEM$/],
    [{ certfile: "good.pem", keyfile: "none.key" }, /^keyfile: .*none\.key does not exist$/],
    [
      { certfile: "good.pem", keyfile: other.key },
      /^keyfile: .*other\.key is not the key of the certificate in .*good\.pem$/,
    ],
    [
      { certfile: "reversed.pem", keyfile: "good.key" },
      /^keyfile: .*good\.key is the key of certificate number 2: the server's own certificate must come first in .*reversed\.pem$/,
    ],
    [
      { certfile: "good.pem", keyfile: encrypted },
      /^keyfile: .*encrypted\.key is encrypted: give its password by /,
    ],
    [
      { certfile: "good.pem", keyfile: encrypted, keyfilePassword: "verysecret" },
      /^keyfile: .*encrypted\.key is encrypted with another password$/,
    ],
    [
      { certfile: "good.pem", keyfile: encrypted, keyfilePasswordFile: "wrong-password" },
      /^keyfile: .*encrypted\.key is encrypted with another password$/,
    ],
    [
      { certfile: "good.pem", keyfile: encrypted, keyfilePasswordFile: "no-password" },
      /^keyfile-password-file: .*no-password holds no password$/,
    ],
    [{ keyfile: "good.key" }, /^keyfile: there is no --certfile for it$/],
    [{ certfile: ["good.pem", "other.pem"], keyfile: "good.key" }, /^keyfile: 1 given for 2 of --certfile: /],
    [{ certfile: "both.pem", certReqs: 2 }, /^cert-reqs: required requires --ca-certs/],
    [{ certfile: "both.pem", caCerts: "authority.pem" }, /^ca-certs: no client is asked for a certificate/],
    [{ certfile: "both.pem", certReqs: 1, caCerts: "none.pem" }, /^ca-certs: .*none\.pem does not exist$/],
    [{ certfile: "both.pem", ciphers: "NO-SUCH-CIPHER" }, /^ciphers: OpenSSL knows none of NO-SUCH-CIPHER$/],
  ];
  for (const [values, message] of bad) {
    test(JSON.stringify(values).replaceAll(folder, ""), async () => {
      await assert.rejects(read(values), (error: FatalError) => {
        assert.match(error.message, message);
        assert.equal(error.exitCode, ExitCode.usage);
        assert.ok(!error.message.includes("verysecret"));
        return true;
      });
    });
  }
});

describe("what is served, with a warning", () => {
  const odd: [values: Record<string, unknown>, warning: RegExp][] = [
    [{ certfile: "good.pem", keyfile: "open.key" }, /^keyfile: other users may read or write .*open\.key/],
    [
      { certfile: "mixed.pem", keyfile: "good.key" },
      /^certfile: .*mixed\.pem has a wrong chain: certificate number 2 has not signed number 1/,
    ],
    [
      { certfile: "ended.pem", keyfile: "ended.key" },
      /^certfile: .*ended\.pem has expired on \d{4}-\d\d-\d\d: clients refuse it$/,
    ],
  ];
  for (const [values, warning] of odd) {
    test(JSON.stringify(values), async () => {
      const { warnings = [] } = (await read(values)) ?? {};
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] ?? "", warning);
    });
  }
});
