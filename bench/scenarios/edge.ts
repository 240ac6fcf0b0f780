/** TLS and HTTP/2: tsgun against node:https and node:http2 on node:cluster, with the same certificate and one worker each. */
import type { Expected, Request } from "../lib/answer.ts";
import type { Goal, Scenario } from "../lib/scenario.ts";
import type { AppName, Protocol } from "../lib/server.ts";
import { type RequestsOptions, requests } from "../measures/requests.ts";
import { HELLO } from "./requests.ts";

/** CPU time of a request, against node's own server. */
const MOST = 1.05;

function edge(
  protocol: Protocol,
  name: string,
  what: string,
  app: AppName,
  options: RequestsOptions,
): Scenario {
  const own = ["tsgun", "tsgun-listener"];
  return {
    name: `${protocol === "https" ? "tls" : protocol}-${name}`,
    what,
    launch: { app, workers: 1, protocol },
    entries: ["cluster", ...own],
    measure: requests(options),
    goals: own.map((candidate): Goal => ({ candidate, baseline: "cluster", as: "ratio", most: MOST })),
  };
}

const items = Array.from({ length: 200 }, (_, index) => ({
  id: index + 1,
  name: `item number ${index + 1}`,
  price: index + 1.5,
}));

/** A JSON document of about 10 kB. */
const POST_10K: { request: Request; expected: Expected } = {
  request: {
    method: "POST",
    path: "/post",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ items }),
  },
  expected: { status: 200, content: JSON.stringify({ ok: true, items: items.length }) },
};
const DOWNLOAD: RequestsOptions = {
  request: { path: "/1m" },
  expected: { status: 200, content: { length: 2 ** 20 } },
  connections: 16,
};

/** Field names of HTTP/2 are in lower case. */
const HELLO_2: RequestsOptions = {
  ...HELLO,
  request: {
    path: "/hello",
    headers: Object.fromEntries(
      Object.entries(HELLO.request.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
    ),
  },
};

const HANDSHAKE: RequestsOptions = { request: { path: "/hello" }, expected: HELLO.expected, connections: 16 };

function http2(protocol: "h2" | "h2c"): Scenario[] {
  const over = protocol === "h2" ? "HTTP/2 over TLS" : "HTTP/2 without TLS";
  const one = { ...HELLO_2, connections: 1, streams: 10 };
  return [
    edge(protocol, "hello-1", `${over}: hello, 10 streams of one session`, "hello", one),
    edge(protocol, "hello-10", `${over}: hello, 10 streams of each of 10 sessions`, "hello", {
      ...one,
      connections: 10,
    }),
    edge(protocol, "post", `${over}: JSON POST of 10 kB, 10 streams of each of 10 sessions`, "routes", {
      ...POST_10K,
      connections: 10,
      streams: 10,
    }),
    edge(protocol, "1m", `${over}: a response of 1 MiB, 4 streams of each of 4 sessions`, "routes", {
      ...DOWNLOAD,
      connections: 4,
      streams: 4,
    }),
  ];
}

export const EDGE: readonly Scenario[] = [
  edge("https", "kept", "TLS: hello on kept connections", "hello", HELLO),
  edge("https", "full", "TLS: hello, a connection with a full handshake for each request", "hello", {
    ...HANDSHAKE,
    handshakes: "full",
  }),
  edge("https", "resumed", "TLS: hello, a connection with a resumed session for each request", "hello", {
    ...HANDSHAKE,
    handshakes: "resumed",
  }),
  edge("https", "post", "TLS: JSON POST of 10 kB", "routes", POST_10K),
  edge("https", "1m", "TLS: a response of 1 MiB", "routes", DOWNLOAD),
  ...http2("h2"),
  ...http2("h2c"),
];
