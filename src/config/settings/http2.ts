/** Settings of HTTP/2. The names are gunicorn's. */
import { choice } from "../kind.ts";
import { httpProtocols } from "../network-kind.ts";
import { count } from "../number-kind.ts";
import { setting } from "./setting.ts";

export const http2Settings = {
  httpProtocols: setting({
    section: "Server socket",
    kind: httpProtocols,
    default: ["h1"],
    reload: true,
    doc: "The versions of HTTP that the sockets speak: h1, h2 or h1,h2. The order means nothing: a client that offers both in TLS (by ALPN) gets h2. Without TLS a client chooses h2 by beginning with it (prior knowledge).",
  }),
  http2Cleartext: setting({
    section: "Server socket",
    kind: choice("prior-knowledge", "off"),
    default: "prior-knowledge",
    reload: true,
    doc: "Whether connections without TLS may speak HTTP/2, if --http-protocols has h2. Upgrade: h2c is not supported: RFC 9113 has removed it.",
  }),
  http2MaxConcurrentStreams: setting({
    section: "Limits",
    kind: count(1, 100_000),
    default: 100,
    reload: true,
    doc: "The number of requests that a client may have open at once on a connection of HTTP/2; more are refused, and clients repeat those.",
  }),
  http2InitialWindowSize: setting({
    section: "Limits",
    kind: count(1, 2 ** 31 - 1),
    default: 65_535,
    reload: true,
    doc: "The number of bytes of content that a client of HTTP/2 may send ahead of the application, for each request: more for fast uploads over long distances, less for less memory.",
  }),
  http2MaxFrameSize: setting({
    section: "Limits",
    kind: count(16_384, 16_777_215),
    default: 16_384,
    reload: true,
    doc: "The largest frame of HTTP/2 that is accepted, in bytes.",
  }),
  http2MaxHeaderListSize: setting({
    section: "Limits",
    kind: count(4096, 16_777_216),
    default: 65_536,
    reload: true,
    doc: "The maximum size of all header fields of a request of HTTP/2 together, uncompressed, with 32 bytes for each; a larger one is refused. --limit-request-fields and --limit-request-field-size apply as well.",
  }),
} as const;
