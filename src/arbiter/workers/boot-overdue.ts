/** Explains why a worker is not ready in time, from the last boot step it reported and its watchdog's stack. */
import { describeDuring, describeUnfinished } from "../../ipc/boot-step.ts";
import type { BootFailure } from "../../ipc/messages.ts";
import type { WorkerRecord } from "../pool/roster.ts";

/** @param limit the boot timeout, in milliseconds */
export function bootOverdue(worker: WorkerRecord, limit: number): BootFailure {
  const { bootStep, stuckAt } = worker;
  const message = `a worker was not ready within ${limit / 1000}s`;
  if (bootStep === undefined)
    return { kind: "startup", message: `${message}: it has not begun to load the app` };
  if (stuckAt === undefined)
    return { kind: "startup", message: `${message}: ${describeUnfinished(bootStep)}` };
  const where = stuckAt.length === 0 ? ", apparently in native code," : "";
  const blocked = `the app blocked the event loop${where} ${describeDuring(bootStep)}`;
  const stack =
    stuckAt.length === 0 ? {} : { stack: ["The event loop is blocked", ...stuckAt].join("\n    ") };
  return { kind: "startup", message: `${message}: ${blocked}`, ...stack };
}
