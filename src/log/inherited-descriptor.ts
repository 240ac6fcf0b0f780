/**
 * Non-blocking writes to an inherited descriptor. The reader of a pipe, socket or terminal may have stopped reading, and
 * a server that blocks on it serves no client and cannot be stopped.
 */
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { Socket } from "node:net";
import { isatty } from "node:tty";

const { O_NOCTTY, O_NONBLOCK, O_WRONLY } = constants;

/** The part of Node's internal stream handle that is used here. */
interface StreamHandle {
  setBlocking?(blocking: boolean): number;
}

export class InheritedDescriptor {
  readonly fd: number;
  readonly #inherited: number;
  #handle: StreamHandle | undefined;
  /** Held so that it is not collected, which would close the descriptor. */
  #stream: Socket | undefined;

  constructor(inherited: number) {
    this.#inherited = inherited;
    const stats = fstatSync(inherited);
    this.fd = stats.isFIFO() || isatty(inherited) ? reopenNonBlocking(inherited) : inherited;
    if (this.fd === inherited && (stats.isFIFO() || stats.isSocket())) this.#wrapShared();
  }

  /**
   * Sets O_NONBLOCK. Call before each write: a socket cannot be reopened, so its file description and that flag are
   * shared with other processes, and Node restores the flag when one of them exits.
   */
  unblock(): void {
    this.#handle?.setBlocking?.(false);
  }

  close(): void {
    if (this.fd !== this.#inherited) closeSync(this.fd);
  }

  #wrapShared(): void {
    try {
      this.#stream = new Socket({ fd: this.#inherited, readable: false, writable: true });
      this.#handle = (this.#stream as unknown as { _handle?: StreamHandle })._handle;
    } catch {
      // Not a stream, such as a datagram socket: write to it as it is.
    }
  }
}

/** Opens a file description of our own, so that O_NONBLOCK does not affect the other users of the descriptor. */
function reopenNonBlocking(inherited: number): number {
  try {
    return openSync(`/proc/self/fd/${inherited}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    return inherited;
  }
}
