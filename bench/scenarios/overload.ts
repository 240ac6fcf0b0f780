/** Three times the load that a server can serve: what it still answers, and how late. */
import type { Entry, Goal, Scenario } from "../lib/scenario.ts";
import { overload } from "../measures/overload.ts";

/** An app that computes handles one request at once; the number says how long its queue is. */
const COMPUTE = { path: "/compute", clients: 8 };
/** One for each connection to the database, and a few more. */
const QUERY = { path: "/query", clients: 24 };

function entries({ clients }: { readonly clients: number }, pool: string): Entry[] {
  const settings = ["--max-in-flight", `${clients}`];
  return [
    { name: "tsgun", server: "tsgun", launch: { settings } },
    { name: "tsgun-listener", server: "tsgun-listener", launch: { settings } },
    { name: "tsgun, no limit", server: "tsgun-listener" },
    pool,
  ];
}

const GOALS: readonly Goal[] = ["tsgun", "tsgun-listener"].flatMap((candidate): Goal[] => [
  { candidate, figure: "growth", as: "value", most: 3 },
  { candidate, figure: "lost", as: "value", most: 0.1 },
]);

const ROW = { launch: { app: "work", workers: 1 }, goals: GOALS, rounds: 2, seconds: 6 } as const;

export const OVERLOAD: readonly Scenario[] = [
  {
    ...ROW,
    name: "overload-compute",
    what: "three times the load, an app that computes for 5 ms (Express but for the engine)",
    entries: [...entries(COMPUTE, "cluster"), "gunicorn"],
    measure: overload(COMPUTE),
  },
  {
    ...ROW,
    name: "overload-query",
    what: "three times the load, an app with 20 connections to a database that takes 50 ms",
    entries: [
      ...entries(QUERY, "cluster"),
      { name: "gunicorn-threads", server: "gunicorn-threads", launch: { threads: 20 } },
    ],
    measure: overload(QUERY),
  },
  {
    ...ROW,
    name: "overload-compute-nginx",
    what: "the same as overload-compute, through nginx",
    // The pool of node:cluster listens on a port only.
    entries: entries(COMPUTE, "node"),
    measure: overload({ ...COMPUTE, behindNginx: true }),
  },
  {
    ...ROW,
    name: "overload-query-nginx",
    what: "the same as overload-query, through nginx",
    entries: entries(QUERY, "node"),
    measure: overload({ ...QUERY, behindNginx: true }),
  },
];
