/**
 * The terminal that the server was started from. When it closes, its processes get SIGHUP, which otherwise requests a
 * reload. A server with a standard stream on the terminal must end with it, like any program.
 *
 * A server started with nohup must survive. Node resets an ignored SIGHUP at start-up, so nohup is recognised by its other
 * effect: none of the standard streams is on the terminal.
 */
import { closeSync, openSync } from "node:fs";
import { isatty } from "node:tty";

const STANDARD_STREAMS = [0, 1, 2];

export class Terminal {
  /** Whether one of the standard streams was a terminal at start-up. */
  readonly isInUse = STANDARD_STREAMS.some((descriptor) => isatty(descriptor));
  /** Whether it was the controlling terminal, not that of a session the process has left. */
  readonly #wasControlling = this.isInUse && hasControllingTerminal();

  /** Whether the terminal has closed. Checks the system, because anybody can send a signal. */
  get isGone(): boolean {
    return this.#wasControlling && !hasControllingTerminal();
  }
}

/** Whether this process has a controlling terminal (tty(4)). It loses it when the terminal hangs up. */
function hasControllingTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}
