/** The worker that keys act on. */
import type { WorkerStats } from "../../control/stats.ts";
import { sorted } from "./columns.ts";
import type { TopState, WatchedServer } from "./state.ts";

/** The index of the selected worker, or of the one that has its slot now; 0 without either. */
export function selectedIndex({ selection }: WatchedServer, workers: readonly WorkerStats[]): number {
  const byPid = workers.findIndex(({ pid }) => pid === selection?.pid);
  return byPid >= 0
    ? byPid
    : Math.max(
        0,
        workers.findIndex(({ slot }) => slot === selection?.slot),
      );
}

/** Undefined while none is known. */
export function selectedWorker({ server }: TopState): WorkerStats | undefined {
  if (server?.stats === undefined) return undefined;
  const workers = sorted(server.stats.workers, server.sort);
  return workers[selectedIndex(server, workers)];
}
