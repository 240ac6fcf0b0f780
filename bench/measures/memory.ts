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
    await untilAnswering(running.program, running.address, REQUEST);
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

/** PSS in kB that a kept connection adds once it has had an answer. What the kernel keeps for it is not in it. */
export const KEPT_CONNECTIONS: Measure = {
  figures: [{ key: "connection", head: "kB a connection", digits: 2 }],
  open: (candidate, options) =>
    atRest(() =>
      idleServer(candidate, options, async ({ address, program: { pid } }) => {
        const hold = (count: number): Promise<IdleConnections> =>
          IdleConnections.open(address as number, count, REQUEST.path, options.cores?.load);
        const held = [await hold(EARLIER)];
        try {
          const before = memoryOfTree(pid);
          held.push(await hold(COUNTED));
          return { connection: (memoryOfTree(pid) - before) / COUNTED / 1024 };
        } finally {
          for (const one of held) await one.close();
        }
      }),
    ),
};
