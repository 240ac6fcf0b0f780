/** Vulnerabilities in responses, and those that tests of their own hold. */
import type { HeldElsewhere, ResponseCase } from "./advisory.ts";

const RESPONSE_CLAUSE = "RFC 9110 section 5.5";

export const RESPONSE_CASES: readonly ResponseCase[] = [
  {
    cve: ["CVE-2018-1000164"],
    product: "gunicorn",
    was: "CR LF in the value of a response's field was sent.",
    clause: RESPONSE_CLAUSE,
    field: ["X-Redirect", "/a\r\nInjected: yes"],
  },
  {
    cve: ["CVE-2020-5247", "CVE-2020-5249"],
    product: "puma",
    was: "A lone CR or LF in the value of a field, also of Early Hints, was sent.",
    clause: RESPONSE_CLAUSE,
    field: ["X-Redirect", "/a\rInjected: yes"],
  },
  {
    cve: ["CVE-2016-2216"],
    product: "node",
    was: "Characters beyond Latin-1 in the value of a field became CR and LF when they were cut to bytes.",
    clause: RESPONSE_CLAUSE,
    field: ["X-Redirect", "/a\u010d\u010aInjected: yes"],
  },
  {
    cve: ["CVE-2017-18587"],
    product: "hyper",
    was: "Values with line ends were sent.",
    clause: RESPONSE_CLAUSE,
    field: ["X-Redirect", "/a\nInjected: yes"],
  },
  {
    cve: ["CVE-2020-7695"],
    product: "uvicorn",
    was: "CR LF in names of fields was sent.",
    clause: "RFC 9110 section 5.1",
    field: ["X-A: b\r\nInjected", "yes"],
  },
];

export const HELD_ELSEWHERE: readonly HeldElsewhere[] = [
  {
    cve: ["CVE-2016-5325"],
    product: "node",
    was: "CR LF in a reason phrase was sent.",
    clause: "RFC 9112 section 4",
    test: "test/http/cves/cves.test.ts",
  },
  {
    cve: ["CVE-2018-12121", "CVE-2020-8251"],
    product: "node",
    was: "Many unfinished heads took memory, or connections, without limit.",
    clause: "none: a limit of the server",
    test: "test/server/unfinished-heads.test.ts",
  },
  {
    cve: ["CVE-2018-12122", "CVE-2019-5737"],
    product: "node",
    was: "A head that came slowly held its connection without limit, also behind a first request.",
    clause: "RFC 9112 section 9.5",
    test: "test/server/deadlines.test.ts",
  },
  {
    cve: ["CVE-2019-16770", "CVE-2021-29509"],
    product: "puma",
    was: "Clients with open connections kept those of others from being served.",
    clause: "none: a limit of the server",
    test: "test/server/worker-connections.test.ts",
  },
  {
    cve: ["CVE-2024-45614"],
    product: "puma",
    was: "The `X_Forwarded_For` of a client replaced the `X-Forwarded-For` of a proxy.",
    clause: "RFC 9110 section 5.1",
    test: "test/http/cves/cves.test.ts",
  },
  {
    cve: ["CVE-2023-46137"],
    product: "twisted",
    was: "Pipelined requests were handled at the same time, and answered in another order.",
    clause: "RFC 9112 section 9.3.2",
    test: "test/server/node/pipelined.test.ts",
  },
  {
    cve: ["CVE-2026-47736", "CVE-2026-47737"],
    product: "puma",
    was: "A PROXY header was read without a limit, and again behind a first request.",
    clause: "none: the PROXY protocol",
    test: "test/server/front/proxy-header.test.ts",
  },
  {
    cve: ["CVE-2023-44487"],
    product: "HTTP/2 servers",
    was: "Streams that a client opened and reset at once cost a request each, without limit.",
    clause: "RFC 9113 section 10.5",
    test: "test/server/http2/floods.test.ts",
  },
  {
    cve: ["CVE-2019-9512", "CVE-2019-9515"],
    product: "HTTP/2 servers",
    was: "PING or SETTINGS frames made the server queue acknowledgements without limit.",
    clause: "RFC 9113 section 10.5",
    test: "test/server/http2/floods.test.ts",
  },
  {
    cve: ["CVE-2019-9513"],
    product: "HTTP/2 servers",
    was: "Changes of priority took processor time without limit.",
    clause: "RFC 9113 section 10.5",
    test: "test/server/http2/floods.test.ts",
  },
  {
    cve: ["CVE-2019-9518"],
    product: "HTTP/2 servers",
    was: "Empty frames took processor time without limit.",
    clause: "RFC 9113 section 10.5",
    test: "test/server/http2/floods.test.ts",
  },
  {
    cve: ["CVE-2024-27983"],
    product: "node",
    was: "CONTINUATION frames around a reset left memory behind, and ended the process.",
    clause: "RFC 9113 section 10.5.1",
    test: "test/server/http2/floods.test.ts",
  },
  {
    cve: ["CVE-2025-8671"],
    product: "HTTP/2 servers",
    was: "Streams that the server was made to reset cost a request each, without limit.",
    clause: "RFC 9113 section 10.5",
    test: "test/server/http2/floods.test.ts",
  },
  {
    cve: ["CVE-2024-27316"],
    product: "httpd (nghttp2)",
    was: "CONTINUATION frames without end took memory without limit.",
    clause: "RFC 9113 section 10.5.1",
    test: "test/server/http2/floods.test.ts",
  },
  {
    cve: ["CVE-2016-6581"],
    product: "hpack",
    was: "References to one large entry of the table became a header list without limit.",
    clause: "RFC 9113 section 10.5.1",
    test: "test/server/http2/floods.test.ts",
  },
  {
    cve: ["CVE-2019-9511", "CVE-2019-9517"],
    product: "HTTP/2 servers",
    was: "A client that asked for much and read nothing made the server buffer it.",
    clause: "RFC 9113 section 10.5",
    test: "test/server/http2/floods.test.ts",
  },
];
