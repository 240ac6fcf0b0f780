/** Memory of servers that do nothing: of a worker, and of a kept connection. */
import { setTimeout as delay } from "node:timers/promises";
import { untilAnswering } from "../lib/answer.ts";
import { childrenOf, memoryOfTree } from "../lib/processes.ts";
import { type Running, start } from "../lib/running.ts";
import type { Candidate, Measure, MeasureOptions, Turn, Values } from "../lib/scenario.ts";
import { freshEachRound } from "./fresh.ts";
import { IdleConnections } from "./idle-connections.ts";

/** Time in which a server that has answered finishes what it does late. */
const SETTLE_MS = 3000;
const REQUEST = { path: "/hello" };

/** Starts a server, waits until it is idle, and measures. */
async function idleServer(
  { name, server, launch }: Candidate,
  { cores }: MeasureOptions,
  measure: (running: Running) => Promise<Values>,
): Promise<Values | undefined> {
  const running = await start(server, name, launch, { core: cores?.server });
  if (running === undefined) return undefined;
  try {
    await untilAnswering(running.program, running.address, REQUEST, launch.protocol);
    await delay(SETTLE_MS);
    return await measure(running);
  } finally {
    await running.stop();
  }
}

const atRest = (once: () => Promise<Values | undefined>): Promise<Turn | undefined> =>
  freshEachRound(once, { warms: false });

/** PSS in MB of one worker and of all processes, without a request in sight. */
export const IDLE_WORKERS: Measure = {
  figures: [
    { key: "worker", head: "PSS of a worker, MB", digits: 1 },
    { key: "all", head: "of all processes", digits: 1 },
  ],
  open: (candidate, options) =>
    atRest(() =>
      idleServer(candidate, options, async ({ program: { pid } }) => {
        const workers = childrenOf(pid).map(memoryOfTree);
        const sum = workers.reduce((total, bytes) => total + bytes, 0);
        return { worker: sum / workers.length / 2 ** 20, all: memoryOfTree(pid) / 2 ** 20 };
      }),
    ),
};

/** Connections before the counted ones: the first ones make what all share. */
const EARLIER = 1000;
const COUNTED = 9000;
/** Over TLS and HTTP/2 each has a handshake, and costs more memory. */
const EARLIER_OF_EDGE = 300;
const COUNTED_OF_EDGE = 2000;

/**
 * PSS in kB that each connection adds, if all are opened one after the other. What the kernel keeps for it is not in it;
 * what V8's young generation grows by meanwhile is, which comes to 1 to 2 kB each.
 * @param path to ask each for once; "-" for nothing
 */
function connectionMemory(
  candidate: Candidate,
  options: MeasureOptions,
  path: string,
): Promise<Values | undefined> {
  const { protocol = "http" } = candidate.launch;
  const isEdge = protocol !== "http";
  const [earlier, counted] = isEdge ? [EARLIER_OF_EDGE, COUNTED_OF_EDGE] : [EARLIER, COUNTED];
  return idleServer(candidate, options, async ({ address, program: { pid } }) => {
    const hold = (count: number): Promise<IdleConnections> =>
      IdleConnections.open(address as number, count, path, options.cores?.load, protocol);
    const held = [await hold(earlier)];
    try {
      const before = memoryOfTree(pid);
      held.push(await hold(counted));
      return { connection: (memoryOfTree(pid) - before) / counted / 1024 };
    } finally {
      for (const one of held) await one.close();
    }
  });
}

export const KEPT_CONNECTIONS: Measure = {
  figures: [{ key: "connection", head: "kB a connection", digits: 2 }],
  open: (candidate, options) => atRest(() => connectionMemory(candidate, options, REQUEST.path)),
};

/** The same for connections behind their first request, and before it. */
export const IDLE_CONNECTIONS: Measure = {
  figures: [
    { key: "kept", head: "kB after a request", digits: 2 },
    { key: "unused", head: "before the first", digits: 2 },
  ],
  open: (candidate, options) =>
    atRest(async () => {
      const kept = await connectionMemory(candidate, options, REQUEST.path);
      const unused = await connectionMemory(candidate, options, "-");
      if (kept === undefined || unused === undefined) return undefined;
      return { kept: kept.connection as number, unused: unused.connection as number };
    }),
};
