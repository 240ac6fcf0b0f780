/**
 * The material for a worker to speak TLS. The arbiter has read and checked it, as its own user; keys are decrypted, so that no
 * password leaves it.
 */

export interface TlsMaterial {
  /** The first one is for clients that ask for no name, or for one that no certificate has. */
  readonly certificates: readonly CertificateMaterial[];
  /** The authorities that sign clients' certificates, in PEM; undefined without mutual TLS. */
  readonly authorities: string | undefined;
  /** Whether clients are asked for a certificate, and whether they must have one. */
  readonly clientCertificates: "none" | "optional" | "required";
  /** In OpenSSL's notation. */
  readonly ciphers: string;
  /** The oldest version. */
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
}

/** The same, as a worker gets it. */
export interface AssignedTls extends TlsMaterial {
  /** The keys of session tickets, the same for all workers: 48 bytes in base64. */
  readonly ticketKeys: string;
}

export interface CertificateMaterial {
  /** Its file; an absolute path. */
  readonly file: string;
  /** The certificate and its chain in PEM. */
  readonly certificate: string;
  /** Its key in PEM, decrypted. */
  readonly key: string;
  /** The names that it is for, in lower case; `*.example.com` stands for one label. */
  readonly names: readonly string[];
  /** The first and the last moment at which it is valid, in milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}
