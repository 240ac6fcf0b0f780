/** The cost of a PROXY header: the same HAProxy in front, with and without one. */
import type { Scenario } from "../lib/scenario.ts";
import { type RequestsOptions, requests } from "../measures/requests.ts";
import { FORWARDED, HELLO } from "./requests.ts";

function proxyProtocol(name: string, what: string, server: string, options: RequestsOptions): Scenario {
  return {
    name: `proxy-protocol-${name}`,
    what: `${what}, from HAProxy in mode tcp, with and without send-proxy-v2`,
    launch: { app: "hello", workers: 1 },
    entries: [
      { name: "without", server },
      { name: "with", server, launch: { proxyProtocol: true } },
    ],
    measure: requests({ ...options, behind: "haproxy" }),
  };
}

const CLOSE: RequestsOptions = {
  ...HELLO,
  request: { path: "/hello", headers: { ...FORWARDED, Connection: "close" } },
};

export const PROXY_PROTOCOL: readonly Scenario[] = [
  proxyProtocol("kept", "hello on kept connections", "tsgun", HELLO),
  proxyProtocol("close", "hello, a connection for each request", "tsgun", CLOSE),
  proxyProtocol("listener-kept", "a node listener's hello on kept connections", "tsgun-listener", HELLO),
  proxyProtocol("listener-close", "a node listener's hello, a connection each", "tsgun-listener", CLOSE),
];
