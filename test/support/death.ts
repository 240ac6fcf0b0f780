/** A record of a death, to be changed by tests. */
import type { DeathRecord } from "../../src/records/death-record.ts";

type Changes = { readonly [Name in keyof DeathRecord]?: Partial<DeathRecord[Name]> | DeathRecord[Name] };

const CRASH: DeathRecord = {
  version: 1,
  time: "2026-01-31T23:59:59.123Z",
  server: {
    name: "shop",
    app: "app.ts",
    folder: "/srv/shop",
    release: "/srv/releases/7",
    tsgun: "1.2.3",
    node: "v24.1.0",
    arbiter: 4000,
  },
  worker: { pid: 4711, slot: 2, generation: 3, state: "ready", age: 90_000, served: 89_000, requests: 12 },
  end: {
    reason: "crash",
    exitCode: 1,
    signal: null,
    how: "exited with code 1",
    orderedFor: null,
    killedFor: null,
    isProblem: true,
  },
  error: null,
  stall: null,
  requestsInFlight: [],
  memory: {
    heapUsed: null,
    heapLimit: null,
    heapSpaces: [],
    external: null,
    rss: null,
    oomKillsBefore: null,
    oomKillsAfter: null,
    groupLimit: null,
  },
  samples: [],
  stderr: [],
};

/** A crash, with other members. Those that are objects are merged. */
export function deathOf(changes: Changes = {}): DeathRecord {
  const merged = Object.entries(changes).map(([name, value]) => {
    const before = CRASH[name as keyof DeathRecord];
    const isObject = [before, value].every((each) => typeof each === "object" && each !== null);
    return [
      name,
      isObject && !Array.isArray(value) ? { ...(before as object), ...(value as object) } : value,
    ];
  });
  return { ...CRASH, ...Object.fromEntries(merged) };
}
