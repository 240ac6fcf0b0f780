/**
 * All rows of the bench, in the order in which they run: those first that most people's apps are like.
 */
import type { Scenario } from "../lib/scenario.ts";
import { EDGE } from "./edge.ts";
import { HONO, LISTENERS } from "./frameworks.ts";
import { CONNECTIONS, GATEWAY, SIZES } from "./gateway.ts";
import { IDLE_MEMORY } from "./idle-memory.ts";
import { METRICS } from "./metrics.ts";
import { OVERLOAD } from "./overload.ts";
import { ACCESS_LOG, POOLS } from "./pools.ts";
import { PROXY_PROTOCOL } from "./proxy-protocol.ts";
import { SLOW_CLIENTS } from "./slow-clients.ts";
import { START } from "./start.ts";
import { WORKERS } from "./workers.ts";

export const SCENARIOS: readonly Scenario[] = [
  ...GATEWAY,
  ...HONO,
  ...LISTENERS,
  ACCESS_LOG,
  ...METRICS,
  ...START,
  ...SIZES,
  ...CONNECTIONS,
  ...PROXY_PROTOCOL,
  ...EDGE,
  ...POOLS,
  ...WORKERS,
  ...IDLE_MEMORY,
  ...OVERLOAD,
  ...SLOW_CLIENTS,
];
