/** The worker that an app runs in, as the app sees it. */
import { packageVersion } from "../config/version.ts";
import type { WorkerInfo } from "../gateway/types.ts";

export function workerInfo(worker: Pick<WorkerInfo, "slot" | "generation" | "drain">): WorkerInfo {
  const { slot, generation, drain } = worker;
  return { pid: process.pid, slot, generation, gateway: "1.0", server: `tsgun/${packageVersion()}`, drain };
}
