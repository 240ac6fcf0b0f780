/** Pools of two workers against those of other worlds, and the cost of more workers. */
import type { Goal, Scenario } from "../lib/scenario.ts";
import { requests } from "../measures/requests.ts";
import { FORWARDED, HELLO } from "./requests.ts";

function goals(...most: [server: string, ratio: number][]): Goal[] {
  return most.map(([baseline, ratio]) => ({ candidate: "tsgun", baseline, as: "ratio", most: ratio }));
}

const CLOSE = { ...HELLO, request: { path: "/hello", headers: { ...FORWARDED, Connection: "close" } } };

export const POOLS: readonly Scenario[] = [
  {
    name: "pool",
    what: "hello on kept connections, 2 workers",
    launch: { app: "hello", workers: 2 },
    entries: ["tsgun", "cluster", "pm2", "puma", "gunicorn-threads", "nginx"],
    baselines: ["cluster", "pm2", "puma", "gunicorn-threads"],
    measure: requests(HELLO),
    goals: goals(["pm2", 0.4], ["puma", 0.15], ["gunicorn-threads", 0.08]),
  },
  {
    name: "pool-close",
    what: "hello, a connection for each request, 2 workers",
    launch: { app: "hello", workers: 2 },
    entries: ["tsgun", "cluster", "pm2", "puma", "gunicorn", "nginx"],
    baselines: ["cluster", "pm2", "puma", "gunicorn"],
    measure: requests(CLOSE),
    goals: goals(["pm2", 0.3], ["puma", 0.7], ["gunicorn", 0.4]),
  },
  {
    name: "workers",
    what: "hello, with 1, 2 and 4 workers on one core",
    launch: { app: "hello", workers: 1 },
    entries: [
      { name: "1 worker", server: "tsgun" },
      { name: "2 workers", server: "tsgun", launch: { workers: 2 } },
      { name: "4 workers", server: "tsgun", launch: { workers: 4 } },
    ],
    measure: requests(HELLO),
  },
];

export const ACCESS_LOG: Scenario = {
  name: "access-log",
  what: "hello, with an access log to a file, in two formats",
  launch: { app: "hello", workers: 1 },
  entries: [
    { name: "no log", server: "tsgun" },
    { name: "combined", server: "tsgun", launch: { accessLog: "combined" } },
    { name: "json", server: "tsgun", launch: { accessLog: "json" } },
  ],
  measure: requests(HELLO),
  goals: [
    { candidate: "combined", baseline: "no log", as: "difference", most: 1 },
    { candidate: "json", baseline: "no log", as: "difference", most: 1.5 },
  ],
};
