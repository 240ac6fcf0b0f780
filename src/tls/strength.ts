/** The strength of a certificate's key and of the signature on it. No I/O. */
import type { X509Certificate } from "node:crypto";

export interface CertificateStrength {
  /** The common name, else the whole subject. */
  readonly subject: string;
  /** As Node names it: `rsa`, `ec`, `ed25519`. */
  readonly key: string;
  /** The size of a key of RSA, DSA or an elliptic curve; undefined for other kinds and unknown curves. */
  readonly bits: number | undefined;
  /** The hash of its signature, if that can be forged. Undefined for a root, whose own signature nobody checks. */
  readonly weakHash: "MD5" | "SHA-1" | undefined;
}

export function strengthOf(certificate: X509Certificate): CertificateStrength {
  const { subject, publicKey, raw } = certificate;
  const { modulusLength, namedCurve } = publicKey.asymmetricKeyDetails ?? {};
  return {
    subject: /(?:^|\n)CN=(.+)/.exec(subject ?? "")?.[1] ?? (subject ?? "").replaceAll("\n", ", "),
    key: publicKey.asymmetricKeyType ?? "unknown",
    bits: modulusLength ?? curveBits(namedCurve),
    weakHash: certificate.checkIssued(certificate) ? undefined : WEAK_SIGNATURES.get(signatureOid(raw)),
  };
}

/** OpenSSL's names of curves have their size: prime256v1, secp384r1, brainpoolP160r1. */
function curveBits(name: string | undefined): number | undefined {
  const [digits] = /\d{3}/.exec(name ?? "") ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** Object identifiers, as DER has them in hexadecimal. */
const WEAK_SIGNATURES: ReadonlyMap<string, "MD5" | "SHA-1"> = new Map([
  // 1.2.840.113549.1.1.4 and .5: with RSA.
  ["2a864886f70d010104", "MD5"],
  ["2a864886f70d010105", "SHA-1"],
  // 1.2.840.10040.4.3: with DSA.
  ["2a8648ce380403", "SHA-1"],
  // 1.2.840.10045.4.1: with ECDSA.
  ["2a8648ce3d0401", "SHA-1"],
]);

/**
 * The algorithm of the signature, which Node tells only from version 24.9 on. RFC 5280 section 4.1:
 * SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { OBJECT IDENTIFIER, … }, … }.
 */
function signatureOid(der: Buffer): string {
  const [certificate] = content(der, 0);
  const [, afterBody] = content(der, certificate);
  const [algorithm] = content(der, afterBody);
  const [start, end] = content(der, algorithm);
  return der.toString("hex", start, end);
}

/** Where the content of the element at `offset` begins and ends. OpenSSL has parsed all of it, so it is well-formed. */
function content(der: Buffer, offset: number): [start: number, end: number] {
  const length = der[offset + 1] ?? 0;
  if (length < 0x80) return [offset + 2, offset + 2 + length];
  const size = length & 0x7f;
  const start = offset + 2 + size;
  return [start, start + der.readUIntBE(offset + 2, size)];
}
