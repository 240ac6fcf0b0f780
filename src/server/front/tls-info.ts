/** The facts of a TLS connection as an app sees them (`request.tls`). */
import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { PeerCertificate, TlsInfo } from "../../gateway/types.ts";

/** Reads what a finished handshake has settled. The client's certificate is only kept, and described when it is read. */
export function tlsInfoOf(socket: TLSSocket, asksClients: boolean): TlsInfo {
  const { authorized, authorizationError } = socket;
  const { servername, alpnProtocol } = socket as TLSSocket & { servername?: string | false | null };
  // Its declared type is Error; it is the code.
  const error = authorized ? undefined : String(authorizationError);
  return new SettledTls(
    {
      version: socket.getProtocol() ?? "unknown",
      cipher: socket.getCipher().standardName,
      serverName: servername || undefined,
      alpn: alpnProtocol || undefined,
    },
    asksClients ? socket.getPeerX509Certificate() : undefined,
    error,
  );
}

class SettledTls implements TlsInfo {
  readonly version: string;
  readonly cipher: string;
  readonly serverName: string | undefined;
  readonly alpn: string | undefined;
  readonly #certificate: X509Certificate | undefined;
  readonly #error: string | undefined;
  #described: PeerCertificate | undefined;

  constructor(
    settled: Omit<TlsInfo, "peerCertificate">,
    certificate: X509Certificate | undefined,
    error: string | undefined,
  ) {
    this.version = settled.version;
    this.cipher = settled.cipher;
    this.serverName = settled.serverName;
    this.alpn = settled.alpn;
    this.#certificate = certificate;
    this.#error = error;
  }

  get peerCertificate(): PeerCertificate | undefined {
    if (this.#certificate === undefined) return undefined;
    this.#described ??= describeCertificate(this.#certificate, this.#error);
    return this.#described;
  }
}

/** @param error why it is not trusted; undefined if it is */
function describeCertificate(certificate: X509Certificate, error: string | undefined): PeerCertificate {
  return Object.freeze({
    authorized: error === undefined,
    error,
    subject: distinguishedName(certificate.subject),
    issuer: distinguishedName(certificate.issuer),
    serialNumber: certificate.serialNumber,
    fingerprint256: certificate.fingerprint256.replaceAll(":", ""),
    subjectAltName: certificate.subjectAltName,
    validFrom: new Date(certificate.validFrom),
    validTo: new Date(certificate.validTo),
    raw: new Uint8Array(certificate.raw),
  });
}

/**
 * Node has a line for each part of a name, the least specific one first, with OpenSSL's escapes (those of RFC 2253 without
 * quotes). RFC 4514 section 2.1 has the most specific one first.
 */
export function distinguishedName(lines: string): string {
  return (lines ?? "").split("\n").filter(Boolean).reverse().join(",");
}
