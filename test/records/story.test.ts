/** The story of a death, from a record. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { guiltyRequest } from "../../src/records/cause.ts";
import { tellDeath } from "../../src/records/story.ts";
import { deathOf } from "../support/death.ts";

const MB = 1024 ** 2;

const SAMPLE = {
  time: 0,
  rss: 50e6,
  heapUsed: null,
  external: null,
  loopDelay: 12,
  cpu: 1,
  requestsPerSecond: 3,
  inFlight: 1,
};

function request(target: string, age: number): ReturnType<typeof deathOf>["requestsInFlight"][number] {
  return { method: "GET", target, id: null, age };
}

test("the fact comes first, then cause, advice and data", () => {
  const lines = tellDeath(
    deathOf({
      error: { kind: "exception", message: "TypeError: no", stack: "at f (/srv/shop/a.js:1:2)" },
      requestsInFlight: [request("/a", 1500)],
      stderr: ["out of paper"],
    }),
  );
  assert.deepEqual(lines, [
    "Worker 4711 of shop crashed on an uncaught exception: TypeError: no.",
    "Likely cause: the error, at f (/srv/shop/a.js:1:2), in the request GET /a.",
    "What to do: Catch it where it arises: Node ends a process after such an error.",
    "",
    "time      2026-01-31 23:59:59 UTC, 1 min 30 s after its start and after 12 requests",
    "end       exited with code 1 (reason: crash)",
    "worker    slot 2, generation 3, ready",
    "server    app.ts in /srv/shop, arbiter 4000",
    "release   /srv/releases/7",
    "versions  tsgun 1.2.3, Node v24.1.0",
    "",
    "requests in flight",
    "  GET /a (1.5 s)",
    "",
    "stack",
    "  at f (/srv/shop/a.js:1:2)",
    "",
    "last lines of standard error",
    "  out of paper",
  ]);
});

test("an ordered end needs no cause", () => {
  const end = { reason: "max_requests", isProblem: false, orderedFor: "1000 requests served" } as const;
  const [first, second] = tellDeath(deathOf({ end }));
  assert.equal(first, "Worker 4711 of shop ended as it was told to, for 1000 requests served.");
  assert.equal(second, "");
});

test("a terminal gets no control character of a client", () => {
  const lines = tellDeath(deathOf({ requestsInFlight: [request("/\u001b]0;owned\u0007", 1)] }));
  assert.ok(lines.includes("  GET /\\x1b]0;owned\\x07 (1 ms)"));
});

test("the request that blocked the loop is the last one that came before", () => {
  const stall = { blockedFor: 2000, where: "JavaScript", stack: [], children: [] } as const;
  const requestsInFlight = [request("/old", 60_000), request("/guilty", 2500), request("/later", 100)];
  assert.equal(guiltyRequest(deathOf({ stall, requestsInFlight }))?.target, "/guilty");
  assert.equal(guiltyRequest(deathOf({ requestsInFlight })), undefined, "a crash may be of any");
  const [, cause] = tellDeath(
    deathOf({ end: { signal: "SIGSEGV", how: "was killed by SIGSEGV" }, requestsInFlight }),
  );
  assert.equal(cause, "Likely cause: perhaps one of the 3 requests in flight.");
});

test("a block is told with the memory that it took, if that was much", () => {
  const stall = {
    blockedFor: 2000,
    where: "JavaScript",
    stack: ["at eat (a.js:1:2)"],
    children: [],
  } as const;
  const causeWith = (...sizes: (number | null)[]): string | undefined => {
    const booting = { ...SAMPLE, rss: 30 * MB };
    const samples = sizes.map((rss, index) => ({ ...SAMPLE, heapUsed: MB, time: index * 1000, rss }));
    return tellDeath(deathOf({ end: { reason: "stuck" }, stall, samples: [booting, ...samples] }))[1];
  };
  const cause = "Likely cause: the code at eat (a.js:1:2)";
  assert.equal(causeWith(null, 90 * MB, 620 * MB), `${cause}; its memory grew from 90 MB to 620 MB.`);
  assert.equal(causeWith(90 * MB, 170 * MB), `${cause}.`);
  assert.equal(causeWith(400 * MB, 600 * MB), `${cause}.`);
  assert.equal(causeWith(), `${cause}.`);
});

test("the last minute is thinned out but for its last seconds", () => {
  const samples = Array.from({ length: 60 }, (_, index) => ({ ...SAMPLE, time: index * 1000 }));
  const lines = tellDeath(deathOf({ samples }));
  const rows = lines.slice(lines.indexOf("the last minute") + 2);
  assert.equal(rows.length, 15);
  assert.match(rows[0] ?? "", /^ +59 s +48 MB +- +- +12 ms +100 % +3 +1$/);
  assert.match(rows.at(-1) ?? "", /^ +0 s /);
});
