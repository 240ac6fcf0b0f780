/**
 * The last acts of this process. `exit` is not emitted where a program ends itself by a signal, as apps do that listen for
 * SIGTERM and then pass it on to themselves.
 */
import { constants } from "node:os";

type LastAct = () => void;

/** Signals that end a process which does not listen for them. */
const FATAL = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGABRT", "SIGKILL", "SIGUSR2", "SIGALRM", "SIGTERM"] as const;

/** Signals of a fault. Node cannot catch them; an app that sends one to itself ends. */
const FAULTS = ["SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP"] as const;

const acts = new Set<LastAct>();
let ownKill: ((signal: string) => void) | undefined;
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

/** Calls `act` at once before this process ends itself by a signal. */
export function beforeOwnKill(act: (signal: string) => void): void {
  if (!watchesKill) watchKill();
  watchesKill = true;
  ownKill = act;
}

function watchKill(): void {
  const { kill } = process;
  process.kill = (pid, signal = "SIGTERM") => {
    const fatal = pid === process.pid ? fatalName(signal) : undefined;
    if (fatal !== undefined) {
      ownKill?.(fatal);
      for (const act of [...acts]) act();
    }
    return kill.call(process, pid, signal);
  };
}

/** The signal's name if it would end this process. */
function fatalName(signal: string | number): string | undefined {
  const name = [...FATAL, ...FAULTS].find((each) => each === signal || constants.signals[each] === signal);
  return name !== undefined && process.listenerCount(name) === 0 ? name : undefined;
}
