/**
 * The gate of a worker: how many connections it may have (gunicorn: `worker_connections`). With as many as that it
 * accepts no more, on none of its sockets, until one is closed. The other workers accept meanwhile, and what comes
 * when all are full waits in the kernel: nothing is refused.
 */
import type { Server } from "node:net";

/** A listening handle of node's, as far as it is used. Both return 0 or a negative error number. */
interface ListeningHandle {
  readStart?(): number;
  readStop?(): number;
}

export class Gate {
  readonly #limit: number;
  readonly #onFull: () => void;
  readonly #servers: Server[] = [];
  #connections = 0;
  #shut = false;

  /**
   * @param limit how many connections
   * @param onFull called when the last one has been accepted
   */
  constructor(limit = Number.POSITIVE_INFINITY, onFull: () => void = () => {}) {
    this.#limit = limit;
    this.#onFull = onFull;
  }

  /** Nobody else gets in: whoever can be let go should be. */
  get full(): boolean {
    return this.#connections >= this.#limit;
  }

  /** A server that listens. Only those on a descriptor can be kept from accepting. */
  guard(server: Server): void {
    this.#servers.push(server);
    if (this.#shut) stopAccepting(server);
  }

  /** A connection has been accepted. */
  enter(): void {
    this.#connections += 1;
    if (!this.full || this.#shut) return;
    this.#shut = true;
    for (const server of this.#servers) stopAccepting(server);
    this.#onFull();
  }

  /** A connection has been closed. */
  leave(): void {
    this.#connections -= 1;
    if (this.full || !this.#shut) return;
    this.#shut = false;
    for (const server of this.#servers) handleOf(server)?.readStart?.();
  }
}

/** Undefined for a server that has been closed. */
function handleOf(server: Server): ListeningHandle | null | undefined {
  return (server as unknown as { _handle?: ListeningHandle | null })._handle;
}

/**
 * A listening socket is watched for new connections as a connected one is for bytes, and `readStop` ends the one like
 * the other. It does nothing to what has not been started to read, so that comes first.
 */
function stopAccepting(server: Server): void {
  const handle = handleOf(server);
  handle?.readStart?.();
  handle?.readStop?.();
}
