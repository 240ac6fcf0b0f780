/**
 * Memory of idle connections of each kind of app, on this Node and on those that TSGUN_TEST_NODES names (paths, separated by
 * colons).
 */
import { execFileSync } from "node:child_process";
import { otherNodes } from "../../test/support/other-nodes.ts";
import type { Entry, Scenario } from "../lib/scenario.ts";
import type { Launch, Protocol } from "../lib/server.ts";
import { IDLE_CONNECTIONS } from "../measures/memory.ts";

const KINDS = ["node", "tsgun", "tsgun-fetch", "tsgun-listener"] as const;

/** Longer than the measure takes. */
const KEPT: Pick<Launch, "app" | "workers" | "keepAlive" | "connections"> = {
  app: "hello",
  workers: 1,
  keepAlive: 3600,
  connections: 15_000,
};

/** The servers on this Node, by their own names, and on the others. */
function onEachNode(servers: readonly string[]): Entry[] {
  const others = otherNodes.flatMap((node) => {
    const version = execFileSync(node, ["--version"], { encoding: "utf8" }).trim();
    return servers.map((server) => ({ name: `${server}, ${version}`, server, launch: { node } }));
  });
  return [...servers, ...others];
}

function overEdge(protocol: Protocol, what: string): Scenario {
  return {
    name: `idle-memory-${protocol === "https" ? "tls" : protocol}`,
    what: `memory of an idle connection, ${what}`,
    launch: { ...KEPT, protocol },
    entries: onEachNode(["cluster", "tsgun", "tsgun-listener"]),
    rounds: 2,
    measure: IDLE_CONNECTIONS,
  };
}

export const IDLE_MEMORY: readonly Scenario[] = [
  {
    name: "idle-memory",
    what: "memory of an idle connection, by kind of app and version of Node",
    launch: KEPT,
    entries: onEachNode(KINDS),
    rounds: 3,
    measure: IDLE_CONNECTIONS,
    goals: ["tsgun", "tsgun-fetch"].map((candidate) => ({ candidate, as: "value", most: 4 })),
  },
  overEdge("https", "over TLS"),
  overEdge("h2", "with HTTP/2 over TLS"),
  overEdge("h2c", "with HTTP/2 without TLS"),
];
