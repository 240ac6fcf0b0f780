/** Frameworks against plain node: Hono on our engine, Express and Fastify on node's server. */

import type { Scenario } from "../lib/scenario.ts";
import type { AppName } from "../lib/server.ts";
import { type RequestsOptions, requests } from "../measures/requests.ts";
import { EIGHT_FIELDS, HELLO, PIECES, POST } from "./requests.ts";

function hono(name: string, what: string, options: RequestsOptions, most: number): Scenario {
  return {
    name: `hono-${name}`,
    what: `Hono, ${what}`,
    launch: { app: "hono", workers: 1 },
    entries: ["hono-node", "tsgun", "tsgun-adopted", "bun"],
    measure: requests(options),
    goals: [
      { candidate: "tsgun", baseline: "hono-node", as: "ratio", most },
      { candidate: "tsgun", baseline: "hono-node", figure: "memory", as: "difference", most: 25 },
    ],
  };
}

const agent = EIGHT_FIELDS["User-Agent"];
const JSON_GET: RequestsOptions = {
  request: { path: "/json", headers: EIGHT_FIELDS },
  expected: { status: 200, content: JSON.stringify({ ok: true, agent }) },
};

export const HONO: readonly Scenario[] = [
  hono("text", "text GET", { ...HELLO, request: { path: "/hello" } }, 0.75),
  hono("json", "JSON GET with 8 header fields", JSON_GET, 0.75),
  hono("post", "JSON POST of 1 KB", POST, 0.8),
  hono("stream", "a stream of 100 pieces", { request: { path: "/stream" }, expected: PIECES }, 0.8),
];

function listener(app: AppName, label: string, kind: "get" | "post"): Scenario {
  return {
    name: `${app}-${kind}`,
    what: `${label}, ${kind === "get" ? "text GET with 11 header fields" : "JSON POST of 1 KB"}`,
    launch: { app, workers: 1 },
    entries: ["node", "tsgun-listener", "tsgun-adopted", "bun"],
    measure: requests(kind === "get" ? HELLO : POST),
    goals: [
      { candidate: "tsgun-listener", baseline: "node", as: "ratio", most: 1.02 },
      { candidate: "tsgun-adopted", baseline: "node", as: "ratio", most: 1.02 },
      { candidate: "tsgun-listener", baseline: "node", figure: "memory", as: "difference", most: 25 },
    ],
  };
}

export const LISTENERS: readonly Scenario[] = [
  listener("fastify", "Fastify", "get"),
  listener("fastify", "Fastify", "post"),
  listener("express", "Express", "get"),
  listener("express", "Express", "post"),
];
