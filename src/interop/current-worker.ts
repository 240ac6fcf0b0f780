/**
 * The current process's worker, for apps whose requests do not carry it (Node listeners). It is stored on the global
 * object, because the app may import another copy of this package than the one that serves it.
 */
import type { WorkerInfo } from "../gateway/types.ts";

const KEY = Symbol.for("tsgun.worker");

type Holder = { [KEY]?: WorkerInfo };

/**
 * The worker that gateway apps get as `request.worker`, available as soon as the app is loaded; undefined outside a
 * tsgun worker.
 */
export function currentWorker(): WorkerInfo | undefined {
  return (globalThis as Holder)[KEY];
}

/** Sets the current worker. Call before the app is loaded. */
export function setCurrentWorker(worker: WorkerInfo): void {
  (globalThis as Holder)[KEY] = worker;
}
