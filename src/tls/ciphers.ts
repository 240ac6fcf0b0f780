/**
 * The cipher suites where `--ciphers` names none: forward secrecy and authenticated encryption only (RFC 9325 section 4.2).
 * Node's own list has suites of CBC and of RSA key transport besides, which scanners report and HTTP/2 forbids
 * (RFC 9113 section 9.2.2). Every client since 2014 has one of these.
 */
export const DEFAULT_CIPHERS = [
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "TLS_AES_128_GCM_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");
