/** Vulnerabilities of those that pass requests of HTTP/2 on by HTTP/1.1, as requests that must not reach an app. */
import type { Advisory } from "./advisory.ts";

export interface H2Case extends Advisory {
  /** Fields behind those of a POST to /. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Undefined: the request ends with its head. */
  readonly content?: string;
  /** Undefined: it must be refused. Otherwise the names that the app sees, behind Host. */
  readonly sees?: readonly string[];
}

const SMUGGLED = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

export const H2_CASES: readonly H2Case[] = [
  {
    cve: ["CVE-2021-21295"],
    product: "netty",
    was: "Content-Length was not compared with the content of a request of HTTP/2, and passed on to HTTP/1.1.",
    clause: "RFC 9113 section 8.1.1",
    fields: [["content-length", "4"]],
    content: `abcd${SMUGGLED}`,
  },
  {
    cve: ["CVE-2021-21409"],
    product: "netty",
    was: "The same for a request that ends with its head.",
    clause: "RFC 9113 section 8.1.1",
    fields: [["content-length", "4"]],
  },
  {
    cve: ["CVE-2021-43797"],
    product: "netty",
    was: "Control characters at the ends of field names were skipped, which made other fields of them.",
    clause: "RFC 9113 section 8.2.1",
    fields: [
      ["transfer-encoding\0", "chunked"],
      ["\x1fcontent-length", "4"],
    ],
    content: SMUGGLED,
    sees: [],
  },
];
