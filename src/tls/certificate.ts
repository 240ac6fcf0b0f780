/** Certificates and keys as text in PEM: what they say, and whether they fit. No I/O. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

/** A certificate with its chain, parsed. */
export interface CertificateChain {
  /** The server's own certificate comes first. */
  readonly certificates: readonly [X509Certificate, ...X509Certificate[]];
  /** In PEM, without anything else that was in the file. */
  readonly pem: string;
}

const PEM_CERTIFICATE =
  /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]+-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g;
const PEM_KEY = /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----[\s\S]+?-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----/;

/** @throws Error with the reason, as a clause that follows the name of the file */
export function parseChain(text: string): CertificateChain {
  const blocks = text.match(PEM_CERTIFICATE) ?? [];
  const certificates = blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw new Error(`has a certificate that cannot be parsed (${ordinal(index, blocks)})`, { cause });
    }
  });
  const [first, ...others] = certificates;
  if (first === undefined) throw new Error(lackOf(text));
  return { certificates: [first, ...others], pem: `${blocks.join("\n")}\n` };
}

function lackOf(text: string): string {
  if (text.trim() === "") return "is empty";
  // DER begins with a sequence.
  if (text.startsWith("0\x82") || text.startsWith("0\ufffd"))
    return "is not in PEM: convert it with openssl x509 -inform der";
  return "contains no certificate in PEM";
}

function ordinal(index: number, all: readonly unknown[]): string {
  return `number ${index + 1} of ${all.length}`;
}

/**
 * Reads the private key of a text.
 *
 * @param passwords to try, if it is encrypted
 * @throws Error with the reason, as a clause that follows the name of the file
 */
export function parseKey(text: string, passwords: readonly string[]): KeyObject {
  const [block] = PEM_KEY.exec(text) ?? [];
  if (block === undefined) throw new Error("contains no private key in PEM");
  const isEncrypted = /ENCRYPTED/.test(block.slice(0, 200));
  if (!isEncrypted) return openKey(block, undefined);
  if (passwords.length === 0)
    throw new Error("is encrypted: give its password by --keyfile-password-file or TSGUN_KEYFILE_PASSWORD");
  for (const password of passwords) {
    try {
      return createPrivateKey({ key: block, passphrase: password });
    } catch {
      // The next one may be right.
    }
  }
  throw new Error(
    passwords.length === 1 ? "is encrypted with another password" : "is encrypted with none of the passwords",
  );
}

function openKey(block: string, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey({ key: block, ...(passphrase !== undefined && { passphrase }) });
  } catch (cause) {
    throw new Error(`has a private key that cannot be parsed (${(cause as Error).message})`, { cause });
  }
}

/** Why the key does not fit the chain, as a clause that follows the name of the key's file; undefined if it fits. */
export function mismatch({ certificates }: CertificateChain, key: KeyObject): string | undefined {
  const position = certificates.findIndex((certificate) => certificate.checkPrivateKey(key));
  if (position === 0) return undefined;
  if (position < 0) return "is not the key of the certificate";
  return `is the key of certificate number ${position + 1}: the server's own certificate must come first`;
}

/** Names the flaw in the order of a chain, as a clause that follows the name of the file; undefined if it is right. */
export function chainFault({ certificates }: CertificateChain): string | undefined {
  for (const [index, certificate] of certificates.entries()) {
    const issuer = certificates[index + 1];
    if (issuer !== undefined && !certificate.checkIssued(issuer))
      return `has a wrong chain: certificate number ${index + 2} has not signed number ${index + 1}, so clients may not trust it`;
  }
  return undefined;
}

/** The names that a certificate is for, in lower case: those of DNS, else its common name. */
export function namesOf({ subject, subjectAltName }: X509Certificate): string[] {
  const alternatives = [...(subjectAltName ?? "").matchAll(/(?:^|, )DNS:([^\s,"]+)/g)].map(
    ([, name]) => name as string,
  );
  const common = /(?:^|\n)CN=(\S+)/.exec(subject ?? "")?.[1];
  const names = alternatives.length > 0 ? alternatives : common === undefined ? [] : [common];
  return names.map((name) => name.toLowerCase());
}

/** The addresses that a certificate is for. */
export function addressesOf({ subjectAltName }: X509Certificate): string[] {
  return [...(subjectAltName ?? "").matchAll(/(?:^|, )IP Address:([^\s,"]+)/g)].map(
    ([, address]) => address as string,
  );
}

const DAY_MS = 86_400_000;

/** Whole days until the certificate ends; negative once it has. */
export function daysLeft(notAfter: number, now: number): number {
  return Math.floor((notAfter - now) / DAY_MS);
}

/** Why clients refuse the certificate today, as a clause that follows its name; undefined if they need not. */
export function invalidity(
  { notBefore, notAfter }: { readonly notBefore: number; readonly notAfter: number },
  now: number,
): string | undefined {
  if (now > notAfter) return `has expired on ${dayOf(notAfter)}: clients refuse it`;
  if (now < notBefore)
    return `is not valid before ${new Date(notBefore).toISOString()}: clients refuse it until then`;
  return undefined;
}

export function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
