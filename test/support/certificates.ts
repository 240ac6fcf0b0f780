/** Certificates for tests, made by openssl: an authority, servers and clients that it signs, and bad ones. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface Wish {
  /** Names of the server, as in `DNS:example.test`; default: localhost and 127.0.0.1. */
  readonly names?: string;
  /** Its subject. Default: `/CN=NAME`. */
  readonly subject?: string;
  /** Days from now until it ends; a negative number for one that has ended. */
  readonly days?: number;
  /** As for openssl's `-newkey`. */
  readonly key?: readonly string[];
  /** The signature's digest, as openssl names it. Default: sha256. */
  readonly hash?: string;
}

const CURVE = ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];

function openssl(folder: string, args: readonly string[]): void {
  execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
}

/** An authority with its files in `folder`. */
export class TestAuthority {
  readonly folder: string;
  readonly name: string;

  constructor(folder: string, name = "authority") {
    this.folder = folder;
    this.name = name;
    openssl(folder, [
      ...["req", "-x509", "-nodes", "-days", "30", "-newkey", ...CURVE, "-subj", `/CN=${name}`],
      ...["-keyout", `${name}.key`, "-out", `${name}.pem`],
    ]);
  }

  /** Its certificate. */
  get file(): string {
    return join(this.folder, `${this.name}.pem`);
  }

  get pem(): string {
    return readFileSync(this.file, "utf8");
  }

  /** Signs a certificate, whose files are NAME.pem and NAME.key. */
  sign(name: string, wish: Wish = {}): CertificateFiles {
    const {
      names = "DNS:localhost,IP:127.0.0.1",
      subject = `/CN=${name}`,
      days = 30,
      key = CURVE,
      hash = "sha256",
    } = wish;
    openssl(this.folder, [
      ...["req", "-nodes", "-newkey", ...key, "-subj", subject],
      ...["-keyout", `${name}.key`, "-out", `${name}.csr`],
    ]);
    writeFileSync(join(this.folder, `${name}.ext`), names === "" ? "" : `subjectAltName=${names}\n`);
    openssl(this.folder, [
      ...["x509", "-req", "-in", `${name}.csr`, "-CA", `${this.name}.pem`, "-CAkey", `${this.name}.key`],
      ...[
        `-${hash}`,
        "-CAcreateserial",
        "-extfile",
        `${name}.ext`,
        "-days",
        String(days),
        "-out",
        `${name}.pem`,
      ],
    ]);
    return { certificate: join(this.folder, `${name}.pem`), key: join(this.folder, `${name}.key`) };
  }
}

/** Encrypts a key with a password, beside the original. Returns the new file. */
export function encryptKey(key: string, password: string): string {
  const encrypted = key.replace(/\.key$/, ".encrypted.key");
  execFileSync(
    "openssl",
    ["pkey", "-aes256", "-in", key, "-out", encrypted, "-passout", `pass:${password}`],
    {
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  return encrypted;
}
