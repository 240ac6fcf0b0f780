/**
 * The last acts of this process. `exit` is not emitted where a program ends itself by a signal, as apps do that listen for
 * SIGTERM and then pass it on to themselves.
 */
import { constants } from "node:os";

type LastAct = () => void;

/** Signals that end a process which does not listen for them. */
const FATAL = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGABRT", "SIGKILL", "SIGUSR2", "SIGALRM", "SIGTERM"] as const;

const acts = new Set<LastAct>();
let watchesKill = false;

/** Calls `act` once at the end, however JavaScript brings it about. Returns a function that takes this back. */
export function atExit(act: LastAct): () => void {
  if (!watchesKill) watchKill();
  watchesKill = true;
  const once = (): void => {
    cancel();
    act();
  };
  const cancel = (): void => {
    acts.delete(once);
    process.off("exit", once);
  };
  acts.add(once);
  process.on("exit", once);
  return cancel;
}

function watchKill(): void {
  const { kill } = process;
  process.kill = (pid, signal = "SIGTERM") => {
    if (pid === process.pid && isFatal(signal)) for (const act of [...acts]) act();
    return kill.call(process, pid, signal);
  };
}

function isFatal(signal: string | number): boolean {
  const name = FATAL.find((fatal) => fatal === signal || constants.signals[fatal] === signal);
  return name !== undefined && process.listenerCount(name) === 0;
}
