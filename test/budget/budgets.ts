/**
 * The budgets of a request, in system calls and in bytes that V8 allocates: counts, which no other load on the machine
 * changes. They are about 1.3 times the largest figure of the versions of Node, so that a cost which doubles fails. To
 * renew them run `node test/run.mjs budget/` with the versions of CONTRIBUTING.md: it prints each figure. Lower a budget
 * when a cost falls; to raise one, say in the commit what the request gets for it.
 */

/** Requests to an app. */
export interface SentRow {
  readonly name: string;
  /** The fixture in `test/fixtures/budget`. */
  readonly app: string;
  readonly method?: "GET" | "POST";
  readonly path: string;
  /** Whether the length of content is unknown. */
  readonly chunked?: true;
  /** Whether each request has a connection of its own. */
  readonly closes?: true;
  /** Whether requests are logged. */
  readonly logs?: true;
}

export interface Row extends SentRow {
  /** System calls of the worker's main thread for a request, without empty polls and those of V8 for its memory and threads. */
  readonly calls: number;
  /** Bytes on the worker's heap for a request: up to Node 22, and from Node 24. */
  readonly bytes: readonly [number, number];
}

const GATEWAY = "gateway.mjs:app";
const FETCH = "fetch.mjs";
const EXPRESS = "express.mjs:server";

export const ROWS: readonly Row[] = [
  { name: "hello", app: GATEWAY, path: "/hello", calls: 4.2, bytes: [3300, 3500] },
  { name: "hello, logged", app: GATEWAY, path: "/hello", logs: true, calls: 4.8, bytes: [4000, 4300] },
  { name: "hello, closed", app: GATEWAY, path: "/hello", closes: true, calls: 10.5, bytes: [5600, 6500] },
  { name: "JSON POST", app: GATEWAY, method: "POST", path: "/json", calls: 4.2, bytes: [13_400, 11_100] },
  { name: "100 pieces", app: GATEWAY, path: "/pieces", calls: 4.2, bytes: [98_000, 98_500] },
  { name: "fetch GET", app: FETCH, path: "/hello", calls: 4.2, bytes: [5100, 5700] },
  { name: "fetch JSON POST", app: FETCH, method: "POST", path: "/json", calls: 4.2, bytes: [15_500, 13_400] },
  { name: "Express GET", app: EXPRESS, path: "/hello", calls: 4.2, bytes: [37_500, 16_200] },
];

/** System calls of all threads of an idle process in a second. */
export const IDLE_CALLS = { arbiter: 48, worker: 35 } as const;

/**
 * Bytes on the worker's heap that a connection without a request in progress holds, before its first request and behind it.
 * A socket of Node's http.Server alone holds 2400 and 2900 of Express's (Node 20 to 26).
 */
export const IDLE_CONNECTIONS = [
  { name: "gateway app", app: GATEWAY, unused: 1600, kept: 1650 },
  { name: "Express app", app: EXPRESS, unused: 3900, kept: 4400 },
] as const;

/** The memory of the machine that an idle connection of a gateway app takes, all in all but V8's young generation. */
export const IDLE_CONNECTION_BYTES = 3500;
