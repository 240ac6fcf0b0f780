/**
 * The gate of a worker, on all its listening sockets. It accepts no more in two cases, and nobody is refused in
 * either: the kernel gives what comes to a worker that accepts, and keeps it where none does.
 *
 * - With as many connections as it may have (gunicorn: `worker_connections`), until one is closed.
 * - With far more than the other workers have, for a moment behind each one that it accepts. All workers are told of a
 *   burst at once, and the first to look would take nearly all of it: of 64 connections at once four workers
 *   had between 1 and 61, with this rule between 9 and 20.
 */
import type { Server } from "node:net";

/** A listening handle of node's, as far as it is used. Both return 0 or a negative error number. */
interface ListeningHandle {
  readStart?(): number;
  readStop?(): number;
}

/** What a worker may have beyond the average before it leaves some to the others. */
const TOLERATED_SHARE = 0.5;
const TOLERATED_NUMBER = 8;

/** The moment, in milliseconds. */
const REST = 1;

export class Gate {
  readonly #limit: number;
  readonly #onFull: () => void;
  readonly #servers: Server[] = [];
  #connections = 0;
  #most = Number.POSITIVE_INFINITY;
  #shut = false;
  #resting = false;

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
    if (this.#shut || this.#resting) stopAccepting(server);
  }

  /** Takes note of how many connections workers have on average; undefined where there are no others. */
  compare(average: number | undefined): void {
    this.#most =
      average === undefined ? Number.POSITIVE_INFINITY : average * (1 + TOLERATED_SHARE) + TOLERATED_NUMBER;
  }

  /** A connection has been accepted. */
  enter(): void {
    this.#connections += 1;
    if (this.#shut) return;
    if (this.full) {
      this.#stop();
      this.#shut = true;
      this.#onFull();
    } else if (this.#connections > this.#most && !this.#resting) {
      this.#stop();
      this.#resting = true;
      setTimeout(() => {
        this.#resting = false;
        this.#start();
      }, REST);
    }
  }

  /** A connection has been closed. */
  leave(): void {
    this.#connections -= 1;
    if (this.full || !this.#shut) return;
    this.#shut = false;
    this.#start();
  }

  #stop(): void {
    for (const server of this.#servers) stopAccepting(server);
  }

  /** Unless there is another reason not to. */
  #start(): void {
    if (this.#shut || this.#resting) return;
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
