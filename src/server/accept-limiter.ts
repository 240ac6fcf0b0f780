/**
 * Limits the connections that a worker accepts, on all its listening sockets. It stops accepting in three cases. No
 * client is refused: the kernel gives the connection to a worker that accepts, or keeps it in the backlog.
 *
 * - At the maximum number of connections (gunicorn: `worker_connections`), until one is closed.
 * - When only a reserve of file descriptors is left, until some are closed, by connections or the app.
 * - With far more connections than the other workers, for a moment after each new one. The kernel wakes all workers for
 *   a burst, and the first would accept nearly all of it: of 64 simultaneous connections, four workers got 1 to 61 each
 *   without this rule and 9 to 20 with it.
 */
import type { Server } from "node:net";
import type { DescriptorBudget } from "./descriptor-budget.ts";

/** The methods of Node's listening handle that are used. Both return 0 or a negative error number. */
interface ListeningHandle {
  readStart?(): number;
  readStop?(): number;
}

/** Connections above the average, as a share of it plus a number, from which a worker pauses after each new one. */
const EXCESS_SHARE = 0.5;
const EXCESS_CONNECTIONS = 8;

const ACCEPT_PAUSE_MS = 1;

/** Interval of counting descriptors while they are scarce. */
const DESCRIPTOR_CHECK_MS = 250;

/** The app leaks descriptors if they are scarce for this time while connections use less than this share of them. */
const LEAK_AFTER_MS = 10_000;
const LEAK_MAX_CONNECTION_SHARE = 0.5;

export interface AcceptLimiterOptions {
  /** Default: unlimited. */
  readonly maxConnections?: number;
  /** Called when the last connection that `maxConnections` allows has been accepted. */
  readonly onFull?: () => void;
  /** Default: descriptors are not counted. */
  readonly descriptors?: DescriptorBudget;
  /** Called when descriptors become scarce, and when enough are free again. */
  readonly onDescriptorsScarce?: (areScarce: boolean) => void;
}

export class AcceptLimiter {
  readonly #maxConnections: number;
  readonly #options: AcceptLimiterOptions;
  readonly #servers: Server[] = [];
  #connections = 0;
  #maxForBalance = Number.POSITIVE_INFINITY;
  #isStopped = false;
  #isPaused = false;
  /** Start of the shortage of descriptors, as in `performance.now()`; undefined if there is none. */
  #scarceSince: number | undefined;
  #checkTimer: NodeJS.Timeout | undefined;
  /** Open descriptors other than connections, as last counted during a shortage. */
  #otherDescriptors = 0;

  constructor(options: AcceptLimiterOptions = {}) {
    this.#maxConnections = options.maxConnections ?? Number.POSITIVE_INFINITY;
    this.#options = options;
  }

  /** True if no connections are accepted until others close. Kept connections should be closed after their response. */
  get full(): boolean {
    return this.#connections >= this.#maxConnections || this.#scarceSince !== undefined;
  }

  /** True if only the reserve of descriptors is left. */
  get descriptorsScarce(): boolean {
    return this.#scarceSince !== undefined;
  }

  /** True if descriptors have been scarce for long and connections are not the cause. */
  get appLeaksDescriptors(): boolean {
    const { descriptors } = this.#options;
    if (descriptors === undefined || this.#scarceSince === undefined) return false;
    const isLong = performance.now() - this.#scarceSince >= LEAK_AFTER_MS;
    return isLong && this.#connections < descriptors.usable * LEAK_MAX_CONNECTION_SHARE;
  }

  /** Number of open descriptors of this process. */
  get openDescriptors(): number {
    return this.#options.descriptors?.open ?? 0;
  }

  /** Adds a listening server. Only one that listens on a descriptor can be stopped. */
  addServer(server: Server): void {
    this.#servers.push(server);
    if (this.#isStopped || this.#isPaused) stopAccepting(server);
  }

  /** Sets the average number of connections per worker; undefined if this worker is the only one. */
  setAverage(average: number | undefined): void {
    this.#maxForBalance =
      average === undefined ? Number.POSITIVE_INFINITY : average * (1 + EXCESS_SHARE) + EXCESS_CONNECTIONS;
  }

  /** @param descriptor of the accepted connection; -1 if unknown */
  connectionOpened(descriptor = -1): void {
    this.#connections += 1;
    if (this.#options.descriptors?.isInReserve(descriptor) === true) this.#onScarce();
    if (this.#isStopped) return;
    if (this.full) {
      this.#stopUntilRoom();
      this.#options.onFull?.();
    } else if (this.#connections > this.#maxForBalance && !this.#isPaused) {
      this.#stop();
      this.#isPaused = true;
      setTimeout(() => {
        this.#isPaused = false;
        this.#start();
      }, ACCEPT_PAUSE_MS);
    }
  }

  connectionClosed(): void {
    this.#connections -= 1;
    this.#checkRecovery();
    this.#restartIfRoom();
  }

  /** Checks how many descriptors are left. Call periodically: the app opens some too. */
  checkDescriptors(): void {
    const { descriptors } = this.#options;
    if (descriptors === undefined) return;
    if (this.#scarceSince === undefined) {
      if (descriptors.areScarce) this.#onScarce();
      return;
    }
    this.#otherDescriptors = descriptors.open - this.#connections;
    this.#checkRecovery();
  }

  /** Counts descriptors: one low number that is free again proves nothing while the others are in use. */
  #checkRecovery(): void {
    const { descriptors } = this.#options;
    if (this.#scarceSince === undefined || descriptors === undefined) return;
    if (this.#otherDescriptors + this.#connections >= descriptors.usable) return;
    this.#scarceSince = undefined;
    clearInterval(this.#checkTimer);
    this.#options.onDescriptorsScarce?.(false);
    this.#restartIfRoom();
  }

  #onScarce(): void {
    if (this.#scarceSince !== undefined) return;
    this.#scarceSince = performance.now();
    this.#otherDescriptors = (this.#options.descriptors?.open ?? 0) - this.#connections;
    this.#checkTimer = setInterval(() => this.checkDescriptors(), DESCRIPTOR_CHECK_MS).unref();
    if (!this.#isStopped) this.#stopUntilRoom();
    this.#options.onDescriptorsScarce?.(true);
  }

  #stopUntilRoom(): void {
    this.#stop();
    this.#isStopped = true;
  }

  #restartIfRoom(): void {
    if (this.full || !this.#isStopped) return;
    this.#isStopped = false;
    this.#start();
  }

  #stop(): void {
    for (const server of this.#servers) stopAccepting(server);
  }

  /** Accepts again, unless there is another reason not to. */
  #start(): void {
    if (this.#isStopped || this.#isPaused) return;
    for (const server of this.#servers) handleOf(server)?.readStart?.();
  }
}

/** Undefined for a closed server. */
function handleOf(server: Server): ListeningHandle | null | undefined {
  return (server as unknown as { _handle?: ListeningHandle | null })._handle;
}

/**
 * libuv polls a listening socket for connections as it polls a connected one for bytes, and `readStop` ends both. It
 * does nothing to a handle that has not been started, so start it first.
 */
function stopAccepting(server: Server): void {
  const handle = handleOf(server);
  handle?.readStart?.();
  handle?.readStop?.();
}
