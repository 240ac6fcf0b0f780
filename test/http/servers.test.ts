/**
 * The corpus against running servers: each client gets a response in time, whatever the app does with the content, and
 * docs/http.md lists exactly the differences between node's server and the engine.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type CorpusCase, readCorpus } from "./corpus.ts";
import {
  ask,
  each,
  isOnNode,
  KINDS,
  type Kind,
  MANNERS,
  MAX_RESPONSE_MS,
  type Received,
  startServer,
} from "./servers.ts";
import { outcome, tableOf } from "./servers-table.ts";

const corpus = readCorpus();

interface Difference {
  readonly pattern: string;
  readonly gateway: string;
  readonly node: string;
}

const NODE_MAJOR = Number(process.versions.node.split(".")[0]);

/** The rows of the table for the running version of Node; the first match counts. */
function documentedDifferences(): Difference[] {
  const text = readFileSync(join(import.meta.dirname, "..", "..", "docs", "http.md"), "utf8");
  const rows = [
    ...text.matchAll(/^\| `(\S+\/\S+)` \| ([^|]+) \| ([^|(]+?)(?: \(Node ([^)]+)\))? \| (.+) \|$/gm),
  ];
  return rows.flatMap(([, pattern = "", gateway = "", node = "", versions, why = ""]) => {
    assert.match(why, /\.$/, `${pattern} has a reason`);
    const concerns =
      versions === undefined ||
      (versions.endsWith(" and later")
        ? NODE_MAJOR >= Number.parseInt(versions, 10)
        : NODE_MAJOR === Number(versions));
    return concerns ? [{ pattern, gateway, node }] : [];
  });
}

function fits(pattern: string, name: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

const DIFFERENCES = documentedDifferences();

/** Responses of node's server to a case that it leaves open although the engine refuses it. */
function openAfter(item: CorpusCase): number | undefined {
  const node = DIFFERENCES.find(({ pattern }) => fits(pattern, item.name))?.node;
  return node?.endsWith("open") ? node.split(" ").length - 1 : undefined;
}

function slow(received: readonly Received[], kind: Kind): string[] {
  return received.flatMap((one, at) => {
    const item = corpus[at] as CorpusCase;
    if (isOnNode(kind) && openAfter(item) === 0) return [];
    const asked = item.requests.length > 0 || item.ending !== "open";
    const answered = one.statuses.length > 0 || one.closed || !asked;
    return answered && one.after <= MAX_RESPONSE_MS
      ? []
      : [`${item.name}: ${outcome(one)} after ${one.after} ms`];
  });
}

const received = new Map<string, readonly Received[]>();

for (const kind of KINDS) {
  describe(`a ${kind} app`, () => {
    for (const manner of MANNERS) {
      test(`that ${manner}: every client gets its response within two seconds`, async (t) => {
        const server = await startServer(kind, manner);
        t.after(() => server.close());
        const all = await each(corpus, (item) =>
          ask(server.port, item, isOnNode(kind) ? openAfter(item) : undefined),
        );
        received.set(`${kind} ${manner}`, all);
        assert.deepEqual(slow(all, kind), []);
        assert.deepEqual(
          server.reported.filter((error) => error.name !== "BodyError"),
          [],
          "only faults of clients are reported",
        );
        t.diagnostic(tableOf(corpus, all));
      });
    }
  });
}

/** A case with a valid head and broken content. */
function isBroken(item: CorpusCase): item is CorpusCase & { ending: "incomplete" | { refused: number } } {
  return item.partial !== undefined && (item.ending === "incomplete" || typeof item.ending === "object");
}

for (const kind of ["gateway", "fetch"] as const) {
  for (const manner of ["reads", "swallows", "never settles"] as const) {
    test(`broken content gets its own status from a ${kind} app that ${manner}`, () => {
      const all = received.get(`${kind} ${manner}`) ?? [];
      for (const [at, item] of corpus.entries()) {
        if (!isBroken(item)) continue;
        const status = item.ending === "incomplete" ? 400 : item.ending.refused;
        const expected = [...item.requests.map(() => 200), status];
        assert.deepEqual(all[at]?.statuses, expected, item.name);
        assert.equal(all[at]?.closed, true, `${item.name}: the connection is closed`);
      }
    });
  }
}

test("a server of the app responds like ours", () => {
  for (const manner of MANNERS) {
    const ours = received.get(`node ${manner}`) ?? [];
    const theirs = received.get(`adopted ${manner}`) ?? [];
    for (const [at, { name }] of corpus.entries())
      assert.equal(outcome(theirs[at]), outcome(ours[at]), `${name}, an app that ${manner}`);
  }
});

test("docs/http.md lists exactly the differences between the servers", () => {
  const gateway = received.get("gateway reads") ?? [];
  const node = received.get("node reads") ?? [];
  const found = new Set<Difference>();
  for (const [at, { name }] of corpus.entries()) {
    const is = { gateway: outcome(gateway[at]), node: outcome(node[at]) };
    if (is.gateway === is.node) continue;
    const row = DIFFERENCES.find(({ pattern }) => fits(pattern, name));
    assert.ok(row !== undefined, `${name} is in no row: ${is.gateway} | ${is.node}`);
    assert.deepEqual(is, { gateway: row.gateway, node: row.node }, `${name}, in the row of ${row.pattern}`);
    found.add(row);
  }
  assert.deepEqual(
    DIFFERENCES.filter((row) => !found.has(row)).map(({ pattern }) => pattern),
    [],
    "rows without a difference",
  );
});
