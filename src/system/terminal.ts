/**
 * The terminal that the server was started from. When it closes, everything in it is sent SIGHUP, which otherwise asks
 * for a reload: a server that writes to a terminal, or reads one, ends with it like any program.
 *
 * One that was started with nohup must live on. Node forgets at its start that SIGHUP was ignored, so nohup is known by
 * what else it does: it leaves none of the standard streams on the terminal.
 */
import { closeSync, openSync } from "node:fs";
import { isatty } from "node:tty";

const STANDARD_STREAMS = [0, 1, 2];

export class Terminal {
  /** One of the standard streams was a terminal at the start. */
  readonly isInUse = STANDARD_STREAMS.some((descriptor) => isatty(descriptor));
  /** It was this process's own, not that of a session it has left. */
  readonly #wasOurs = this.isInUse && isControlled();

  /** Asks the system: a signal may come from anybody. */
  get isGone(): boolean {
    return this.#wasOurs && !isControlled();
  }
}

/** Whether this process has a controlling terminal (tty(4)). It has none from the moment on that the terminal hangs up. */
function isControlled(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}
