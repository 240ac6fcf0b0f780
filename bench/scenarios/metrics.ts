/** The cost to a request of counting and recording everything, as by default. */
import type { Scenario } from "../lib/scenario.ts";
import type { AppName } from "../lib/server.ts";
import { type RequestsOptions, requests } from "../measures/requests.ts";
import { HELLO, POST } from "./requests.ts";

/** CPU time with metrics and death records on, against both off. */
const MOST = 1.04;

function metrics(
  name: string,
  what: string,
  app: AppName,
  server: string,
  options: RequestsOptions,
): Scenario {
  return {
    name: `metrics-${name}`,
    what: `${what}, with metrics and death records on and off`,
    launch: { app, workers: 1 },
    entries: [
      { name: "off", server, launch: { metrics: false } },
      { name: "on", server },
    ],
    measure: requests(options),
    goals: [{ candidate: "on", baseline: "off", as: "ratio", most: MOST }],
  };
}

export const METRICS: readonly Scenario[] = [
  metrics("hello", "hello", "hello", "tsgun", HELLO),
  metrics("post", "JSON POST of 1 KB", "routes", "tsgun", POST),
  metrics("fastify", "Fastify, text GET", "fastify", "tsgun-listener", HELLO),
];
