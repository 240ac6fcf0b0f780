/**
 * A descriptor that the process has inherited, for writes that never wait: whoever reads the other end of a pipe, a socket or
 * a terminal may have stopped to, and a server that waits for it serves nobody and cannot be stopped.
 */
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { Socket } from "node:net";
import { isatty } from "node:tty";

const { O_NOCTTY, O_NONBLOCK, O_WRONLY } = constants;

/** What is used of node's handle of a stream. */
interface StreamHandle {
  setBlocking?(blocking: boolean): number;
}

export class InheritedDescriptor {
  readonly fd: number;
  readonly #inherited: number;
  #handle: StreamHandle | undefined;
  /** Keeps the handle: collected, it would close the descriptor. */
  #stream: Socket | undefined;

  constructor(inherited: number) {
    this.#inherited = inherited;
    const stats = fstatSync(inherited);
    this.fd = stats.isFIFO() || isatty(inherited) ? openAnew(inherited) : inherited;
    if (this.fd === inherited && (stats.isFIFO() || stats.isSocket())) this.#share();
  }

  /**
   * A socket cannot be opened anew: its file description, with the flag that says whether writes wait, is shared with other
   * processes, and Node restores that flag when one of them exits. Call this before each write.
   */
  unblock(): void {
    this.#handle?.setBlocking?.(false);
  }

  close(): void {
    if (this.fd !== this.#inherited) closeSync(this.fd);
  }

  #share(): void {
    try {
      this.#stream = new Socket({ fd: this.#inherited, readable: false, writable: true });
      this.#handle = (this.#stream as unknown as { _handle?: StreamHandle })._handle;
    } catch {
      // Not a stream, such as a socket of datagrams: it is written as it is.
    }
  }
}

/** An opening of our own: only that can be made not to wait without making the other users not wait, too. */
function openAnew(inherited: number): number {
  try {
    return openSync(`/proc/self/fd/${inherited}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    return inherited;
  }
}
