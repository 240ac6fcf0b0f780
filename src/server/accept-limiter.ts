/**
 * Limits the connections that a worker accepts, on all its listening sockets. It stops accepting in three cases. No
 * client is refused: the kernel gives the connection to a worker that accepts, or keeps it in the backlog. Before and
 * while it is full, `places/` closes connections whose clients do nothing.
 *
 * - At the maximum number of connections (gunicorn: `worker_connections`), until one is closed.
 * - When only a reserve of file descriptors is left, until some are closed, by connections or the app.
 * - With more than its share of all workers' connections, for a moment after new ones (`accept-delay.ts`).
 */
import type { Server } from "node:net";
import { acceptDelay } from "./accept-delay.ts";
import type { DescriptorBudget } from "./descriptor-budget.ts";
import type { Occupants, PlaceKeeper, Places } from "./places/place-keeper.ts";
import type { Scarcity } from "./places/policy.ts";

/** The methods of Node's listening handle that are used. Both return 0 or a negative error number. */
interface ListeningHandle {
  readStart?(): number;
  readStop?(): number;
}

/** The shortest time that a timer waits. A shorter delay is owed until it comes to this. */
const PAUSE_MS = 1;

/** Growth worth a report before the next beat: more than this number, and more than this part of the last one. */
const GROWTH_NUMBER = 3;
const GROWTH_PART = 1 / 8;

/** The part of the places that is kept free of clients that do nothing, so that others find one at once. */
const RESERVED_PART = 1 / 16;

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
  /** Loads what makes room: few workers ever need it. Default: nothing does. */
  readonly loadKeeper?: (places: Places) => Promise<PlaceKeeper>;
  /** Default: descriptors are not counted. */
  readonly descriptors?: DescriptorBudget;
  /** Called when descriptors become scarce, and when enough are free again. */
  readonly onDescriptorsScarce?: (areScarce: boolean) => void;
}

export class AcceptLimiter {
  readonly #maxConnections: number;
  /** With more connections than this places are scarce. */
  readonly #ample: number;
  readonly #occupants: Occupants<unknown>[] = [];
  #keeper: PlaceKeeper | undefined;
  #isLoading = false;
  readonly #options: AcceptLimiterOptions;
  readonly #servers: Server[] = [];
  #connections = 0;
  /** Connections accepted since the start. */
  accepted = 0;
  /** The part of all workers' connections that is this one's, with a tolerance. */
  #share = Number.POSITIVE_INFINITY;
  /** The connections that it may hold without waiting: its share, or as many as it has held lately. */
  #level = Number.POSITIVE_INFINITY;
  /** Milliseconds of delay that have not been waited yet. */
  #owedMs = 0;
  /** Numbers of connections beyond which, and down to which, `onMoved` is called. */
  #reportAbove = GROWTH_NUMBER;
  #reportBelow = -1;
  #onMoved: () => void = () => {};
  #isStopped = false;
  #isPaused = false;
  /** A connection that is counted already is being counted again. */
  #isHandedOver = false;
  /** Start of the shortage of descriptors, as in `performance.now()`; undefined if there is none. */
  #scarceSince: number | undefined;
  #checkTimer: NodeJS.Timeout | undefined;
  /** Open descriptors other than connections, as last counted during a shortage. */
  #otherDescriptors = 0;

  constructor(options: AcceptLimiterOptions = {}) {
    this.#maxConnections = options.maxConnections ?? Number.POSITIVE_INFINITY;
    this.#ample = this.#maxConnections - Math.max(1, Math.floor(this.#maxConnections * RESERVED_PART));
    if (Number.isNaN(this.#ample)) this.#ample = Number.POSITIVE_INFINITY;
    this.#options = options;
  }

  get connections(): number {
    return this.#connections;
  }

  /** How many connections should be closed so that others find a place. */
  get wanted(): number {
    const scarce = this.descriptorsScarce ? Math.ceil(this.#connections * RESERVED_PART) : 0;
    return Math.max(scarce, this.#connections - this.#ample);
  }

  /** As the connections are counted, those that wait for their close too. */
  get scarcity(): Scarcity {
    if (this.full) return "full";
    return this.#maxConnections - this.#connections < (this.#maxConnections - this.#ample) / 2
      ? "tight"
      : "scarce";
  }

  /** Adds connections that may be closed to make room. */
  addOccupants<Connection>(occupants: Occupants<Connection>): void {
    this.#occupants.push(occupants as Occupants<unknown>);
  }

  #makeRoom(): void {
    if (this.#keeper === undefined) this.prepare();
    else this.#keeper.makeRoom();
  }

  /** Loads what makes room, before a deploy deletes the release. Without it nothing is lost but that. */
  prepare(): void {
    const { loadKeeper } = this.#options;
    if (loadKeeper === undefined || this.#isLoading) return;
    this.#isLoading = true;
    const loaded = (keeper: PlaceKeeper): void => {
      this.#keeper = keeper;
      for (const occupants of this.#occupants) keeper.add(occupants);
      if (this.wanted > 0) keeper.makeRoom();
    };
    loadKeeper(this).then(loaded, () => {
      this.#isLoading = false;
    });
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

  /**
   * Sets the connections beyond which this worker leaves new ones to the others, undefined if it is the only one, and
   * how many it closes.
   */
  setShare(connections: number | undefined, shed = 0): void {
    const isFirst = this.#share === Number.POSITIVE_INFINITY;
    this.#share = connections ?? Number.POSITIVE_INFINITY;
    // Those that it closes should not come back to it.
    if (shed > 0 || isFirst) this.#level = this.#share;
    else this.#level = Math.max(this.#level, this.#share);
    this.#reportBelow = shed > 0 ? this.#connections - shed : -1;
  }

  /** Calls back when the connections have grown much since the last report, or when those to shed are closed. */
  whenMoved(callback: () => void): void {
    this.#onMoved = callback;
  }

  /** The number of connections is being reported. */
  reported(): void {
    this.#reportAbove = this.#connections + Math.max(GROWTH_NUMBER, this.#connections * GROWTH_PART);
    this.#reportBelow = -1;
  }

  /** Forgets by and by how many connections it has held. Call about once a second. */
  lowerLevel(): void {
    this.#level = Math.max(this.#share, (this.#level + this.#connections) / 2);
  }

  /** @param descriptor of the accepted connection; -1 if unknown */
  connectionOpened(descriptor = -1): void {
    if (this.#isHandedOver) {
      this.#isHandedOver = false;
      return;
    }
    this.#connections += 1;
    this.accepted += 1;
    if (this.#options.descriptors?.isInReserve(descriptor) === true) this.#onScarce();
    if (this.#connections > this.#ample) this.#makeRoom();
    if (this.#isStopped) return;
    if (this.full) {
      this.#stopUntilRoom();
      this.#options.onFull?.();
    } else if (this.#connections > this.#level) this.#grow();
  }

  /** Runs `passOn`, in which a connection that is counted already opens, unless it is closed instead. */
  handOver(passOn: () => void): void {
    this.#isHandedOver = true;
    try {
      passOn();
    } finally {
      if (this.#isHandedOver) {
        this.#isHandedOver = false;
        this.connectionClosed();
      }
    }
  }

  connectionClosed(): void {
    this.#connections -= 1;
    if (this.#connections <= this.#reportBelow) this.#onMoved();
    this.#checkRecovery();
    this.#restartIfRoom();
  }

  /** Holds more connections than lately: waits before it accepts the next one. */
  #grow(): void {
    if (this.#connections > this.#reportAbove) this.#onMoved();
    this.#owedMs += acceptDelay(this.#connections, this.#level);
    this.#level = this.#connections;
    if (this.#owedMs < PAUSE_MS || this.#isPaused) return;
    this.#owedMs = 0;
    this.#stop();
    this.#isPaused = true;
    setTimeout(() => {
      this.#isPaused = false;
      this.#start();
    }, PAUSE_MS);
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
    this.#makeRoom();
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
