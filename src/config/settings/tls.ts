/** Settings of TLS. Their files are read by the arbiter, at the start and again by each reload. */
import { files, text } from "../kind.ts";
import { certificateRequests, password, tlsVersion } from "../tls-kind.ts";
import { setting } from "./setting.ts";

export const tlsSettings = {
  certfile: setting({
    section: "TLS",
    kind: files,
    default: undefined,
    reload: true,
    doc: "The server's certificate with its chain, in PEM: clients then connect by TLS only. Can be given several times: each client gets the certificate for the name that it asks for (SNI), else the first.",
  }),
  keyfile: setting({
    section: "TLS",
    kind: files,
    default: undefined,
    reload: true,
    doc: "The key of the certificate, in PEM: as many files as --certfile has, in the same order. Default: each file of --certfile contains its key too.",
  }),
  keyfilePassword: setting({
    section: "TLS",
    kind: password,
    default: undefined,
    secret: true,
    reload: true,
    doc: "The password of encrypted keys. Other users of the machine see the command line: write it into the file of --keyfile-password-file, or into TSGUN_KEYFILE_PASSWORD, which workers do not get.",
  }),
  keyfilePasswordFile: setting({
    section: "TLS",
    kind: text("FILE"),
    default: undefined,
    reload: true,
    doc: "The file that holds the passwords of encrypted keys, one on each line; each key is tried with all of them.",
  }),
  caCerts: setting({
    section: "TLS",
    kind: text("FILE"),
    default: undefined,
    reload: true,
    doc: "The authorities that sign the certificates of clients, in PEM. Requires --cert-reqs.",
  }),
  certReqs: setting({
    section: "TLS",
    kind: certificateRequests,
    default: "none",
    reload: true,
    doc: "Whether clients must show a certificate that an authority of --ca-certs has signed: none, optional or required (gunicorn's 0, 1 and 2). With optional a client without one, or with a wrong one, is served, and request.tls tells which.",
  }),
  ciphers: setting({
    section: "TLS",
    kind: text("CIPHERS"),
    default: undefined,
    defaultDoc:
      "those with forward secrecy and authenticated encryption: AES-GCM and ChaCha20-Poly1305, by ECDHE",
    reload: true,
    doc: "The cipher suites, in OpenSSL's notation. The server's order counts.",
  }),
  sslVersion: setting({
    section: "TLS",
    kind: tlsVersion,
    default: "TLSv1.2",
    reload: true,
    doc: "The oldest version of TLS to speak: TLSv1.2 or TLSv1.3. Older ones are broken, and not spoken at all.",
  }),
  adminCertfile: setting({
    section: "Control",
    kind: text("FILE"),
    default: undefined,
    reload: false,
    doc: "The certificate of --admin-bind with its chain, in PEM: health checks, metrics and the dashboard are then served by TLS only. A reload reads the file again.",
  }),
  adminKeyfile: setting({
    section: "Control",
    kind: text("FILE"),
    default: undefined,
    reload: false,
    doc: "The key of --admin-certfile, in PEM. Default: that file contains it too. The passwords are those of --keyfile.",
  }),
} as const;
