/**
 * The worker that this process is, for apps whose requests do not name it (node listeners). It stands on the global
 * object, since the copy of this package that the app imports may be another than the one that serves it.
 */
import type { WorkerInfo } from "../gateway/types.ts";

const KEY = Symbol.for("tsgun.worker");

type Holder = { [KEY]?: WorkerInfo };

/**
 * What a gateway app finds as `request.worker`, from the moment the app is loaded; undefined in a process that is no
 * worker of tsgun.
 */
export function currentWorker(): WorkerInfo | undefined {
  return (globalThis as Holder)[KEY];
}

/** To be called before the app is loaded. */
export function becomeWorker(worker: WorkerInfo): void {
  (globalThis as Holder)[KEY] = worker;
}
