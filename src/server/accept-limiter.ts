/**
 * Limits how many connections a worker accepts, on all its listening sockets. It stops accepting in three cases, and
 * refuses no client in any: the kernel gives a connection to a worker that accepts, and keeps it in the backlog where
 * none does.
 *
 * - With as many connections as it may have (gunicorn: `worker_connections`), until one is closed.
 * - With only a reserve of file descriptors left, until some are closed, be they connections or the app's.
 * - With far more than the other workers have, for a moment behind each one that it accepts. All workers are told of a
 *   burst at once, and the first to look would take nearly all of it: of 64 connections at once four workers
 *   had between 1 and 61, with this rule between 9 and 20.
 */
import type { Server } from "node:net";
import type { DescriptorBudget } from "./descriptor-budget.ts";

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

/** How often a worker that is short of descriptors looks whether some came back, in milliseconds. */
const REVIEW_EVERY = 250;

/**
 * A worker that has been short of descriptors for so long, in milliseconds, though its connections take up less than
 * this share of them, has an app that leaks them.
 */
const LEAK_AFTER = 10_000;
const LEAK_SHARE = 0.5;

export interface AcceptLimiterOptions {
  /** How many connections there may be; any number by default. */
  readonly maxConnections?: number;
  /** Called when the last connection that `limit` allows has been accepted. */
  readonly onFull?: () => void;
  /** This process's descriptors; left out, they do not matter. */
  readonly descriptors?: DescriptorBudget;
  /** Called when descriptors become scarce, and when there are enough again. */
  readonly onDescriptorsScarce?: (areScarce: boolean) => void;
}

export class AcceptLimiter {
  readonly #limit: number;
  readonly #options: AcceptLimiterOptions;
  readonly #servers: Server[] = [];
  #connections = 0;
  #most = Number.POSITIVE_INFINITY;
  #shut = false;
  #resting = false;
  /** Since when descriptors are scarce, by `performance.now()`. */
  #scarceSince: number | undefined;
  #review: NodeJS.Timeout | undefined;
  /** How many descriptors were no connections when they were counted last, while they are scarce. */
  #others = 0;

  constructor(options: AcceptLimiterOptions = {}) {
    this.#limit = options.maxConnections ?? Number.POSITIVE_INFINITY;
    this.#options = options;
  }

  /** No more connections are accepted: those that can be let go should be. */
  get full(): boolean {
    return this.#connections >= this.#limit || this.#scarceSince !== undefined;
  }

  /** Only a reserve of descriptors is left. */
  get descriptorsScarce(): boolean {
    return this.#scarceSince !== undefined;
  }

  /** Descriptors have been scarce for long, and connections are not the reason. */
  get appLeaksDescriptors(): boolean {
    const { descriptors } = this.#options;
    if (descriptors === undefined || this.#scarceSince === undefined) return false;
    const isLong = performance.now() - this.#scarceSince >= LEAK_AFTER;
    return isLong && this.#connections < descriptors.usable * LEAK_SHARE;
  }

  /** How many descriptors this process has open. */
  get openDescriptors(): number {
    return this.#options.descriptors?.open ?? 0;
  }

  /** A server that listens. Only those on a descriptor can be kept from accepting. */
  addServer(server: Server): void {
    this.#servers.push(server);
    if (this.#shut || this.#resting) stopAccepting(server);
  }

  /** Takes note of how many connections workers have on average; undefined where there are no others. */
  setAverage(average: number | undefined): void {
    this.#most =
      average === undefined ? Number.POSITIVE_INFINITY : average * (1 + TOLERATED_SHARE) + TOLERATED_NUMBER;
  }

  /** A connection has been accepted, on this descriptor. */
  connectionOpened(descriptor = -1): void {
    this.#connections += 1;
    if (this.#options.descriptors?.isInReserve(descriptor) === true) this.#becomeShort();
    if (this.#shut) return;
    if (this.full) {
      this.#shutUntilRoom();
      this.#options.onFull?.();
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
  connectionClosed(): void {
    this.#connections -= 1;
    this.#recover();
    this.#openIfRoom();
  }

  /** Looks how many descriptors are left. Call it now and then: the app opens some of its own. */
  checkDescriptors(): void {
    const { descriptors } = this.#options;
    if (descriptors === undefined) return;
    if (this.#scarceSince === undefined) {
      if (descriptors.areScarce) this.#becomeShort();
      return;
    }
    this.#others = descriptors.open - this.#connections;
    this.#recover();
  }

  /** One low descriptor that comes free is not enough where the others are taken: it goes by their number. */
  #recover(): void {
    const { descriptors, onDescriptorsScarce: onScarce } = this.#options;
    if (this.#scarceSince === undefined || descriptors === undefined) return;
    if (this.#others + this.#connections >= descriptors.usable) return;
    this.#scarceSince = undefined;
    clearInterval(this.#review);
    onScarce?.(false);
    this.#openIfRoom();
  }

  #becomeShort(): void {
    if (this.#scarceSince !== undefined) return;
    this.#scarceSince = performance.now();
    this.#others = (this.#options.descriptors?.open ?? 0) - this.#connections;
    this.#review = setInterval(() => this.checkDescriptors(), REVIEW_EVERY).unref();
    if (!this.#shut) this.#shutUntilRoom();
    this.#options.onDescriptorsScarce?.(true);
  }

  #shutUntilRoom(): void {
    this.#stop();
    this.#shut = true;
  }

  #openIfRoom(): void {
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
