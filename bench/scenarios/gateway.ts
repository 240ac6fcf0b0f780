/** The smallest app, and gateway apps against the same on node:http. */

import type { Scenario } from "../lib/scenario.ts";
import type { Launch } from "../lib/server.ts";
import { requests } from "../measures/requests.ts";
import { FORWARDED, HELLO, PIECES, POST } from "./requests.ts";

const HELLO_APP: Launch = { app: "hello", workers: 1 };
const ROUTES: Launch = { app: "routes", workers: 1 };
const MEBIBYTE = 2 ** 20;

export const GATEWAY: readonly Scenario[] = [
  {
    name: "hello",
    what: "hello with the 11 header fields that nginx forwards",
    launch: HELLO_APP,
    entries: ["node", "tsgun", "tsgun-fetch", "tsgun-listener", "tsgun-adopted", "bun", "canned", "nginx"],
    baselines: ["node", "bun"],
    measure: requests(HELLO),
    goals: [
      { candidate: "tsgun", baseline: "node", as: "ratio", most: 0.5 },
      { candidate: "tsgun", baseline: "bun", as: "ratio", most: 0.95 },
    ],
  },
  {
    name: "get",
    what: "hello without header fields but Host",
    launch: HELLO_APP,
    entries: ["node", "tsgun", "bun", "canned"],
    measure: requests({ ...HELLO, request: { path: "/hello" } }),
  },
  {
    name: "post",
    what: "JSON POST of 1 KB",
    launch: ROUTES,
    entries: ["node", "tsgun", "bun"],
    baselines: ["node", "bun"],
    measure: requests(POST),
    goals: [{ candidate: "tsgun", baseline: "node", as: "ratio", most: 0.5 }],
  },
  {
    name: "pieces",
    what: "a response of 100 pieces from a generator",
    launch: ROUTES,
    entries: ["node", "tsgun"],
    measure: requests({ request: { path: "/pieces" }, expected: PIECES }),
    goals: [{ candidate: "tsgun", baseline: "node", as: "ratio", most: 0.5 }],
  },
  {
    name: "close",
    what: "hello, a connection for each request",
    launch: HELLO_APP,
    entries: ["node", "tsgun", "tsgun-listener", "bun"],
    measure: requests({
      ...HELLO,
      request: { path: "/hello", headers: { ...FORWARDED, Connection: "close" } },
    }),
    goals: [
      { candidate: "tsgun", baseline: "node", as: "ratio", most: 0.75 },
      { candidate: "tsgun", baseline: "node", figure: "memory", as: "difference", most: 25 },
    ],
  },
  {
    name: "pipelined",
    what: "hello, 16 requests at once on each connection",
    launch: HELLO_APP,
    entries: ["node", "tsgun", "bun", "canned"],
    measure: requests({ ...HELLO, pipelined: 16 }),
  },
  {
    name: "behind-nginx",
    what: "hello behind nginx, over a Unix socket",
    launch: HELLO_APP,
    entries: ["node", "tsgun"],
    measure: requests({ ...HELLO, behind: "nginx" }),
  },
];

export const SIZES: readonly Scenario[] = [
  {
    name: "64k",
    what: "a response of 64 KiB",
    launch: ROUTES,
    entries: ["node", "tsgun", "bun"],
    measure: requests({ request: { path: "/64k" }, expected: { status: 200, content: { length: 2 ** 16 } } }),
  },
  {
    name: "1m",
    what: "a response of 1 MiB",
    launch: ROUTES,
    entries: ["node", "tsgun", "bun"],
    measure: requests({
      request: { path: "/1m" },
      expected: { status: 200, content: { length: MEBIBYTE } },
      connections: 16,
    }),
  },
  {
    name: "100m-down",
    what: "a response of 100 MiB in pieces of 1 MiB",
    launch: ROUTES,
    entries: ["node", "tsgun", "bun"],
    rounds: 3,
    seconds: 2,
    measure: requests({
      request: { path: "/100m" },
      expected: { status: 200, content: { length: 100 * MEBIBYTE } },
      connections: 1,
    }),
  },
  {
    name: "100m-up",
    what: "an upload of 100 MiB, whose bytes the app counts",
    launch: ROUTES,
    entries: ["node", "tsgun", "bun"],
    rounds: 3,
    seconds: 2,
    measure: requests({
      request: { method: "POST", path: "/upload", body: "x".repeat(100 * MEBIBYTE) },
      expected: { status: 200, content: `${100 * MEBIBYTE}` },
      connections: 1,
    }),
  },
];

/** Kept for as long as any row takes. */
const KEPT = { keepAlive: 3600, connections: 15_000 };

const idle = (count: number): Scenario => ({
  name: `idle-${count}`,
  what: `hello, with ${count} idle connections beside the busy ones`,
  launch: { ...HELLO_APP, ...KEPT },
  entries: ["node", "tsgun", "bun"],
  measure: requests({ ...HELLO, idle: count }),
});

const busy = (count: number): Scenario => ({
  name: `connections-${count}`,
  what: `hello over ${count} busy connection${count === 1 ? "" : "s"}`,
  launch: HELLO_APP,
  entries: ["node", "tsgun"],
  measure: requests({ ...HELLO, connections: count }),
});

export const CONNECTIONS: readonly Scenario[] = [busy(1), busy(16), busy(256), idle(256), idle(10_000)];
