/**
 * Keeps the timer of a socket's `setTimeout`. Node sets it to `keepAliveTimeout` after each response and to 0 at the next
 * request, each time with a new timer, which costs a small request more than all that the server itself does for it.
 * Here only the time is noted. When the timer fires, it is set for what is left of the timeout since the latest input or
 * output, or does nothing while there is no timeout. So it fires when node's would; the keep-alive timer, which the server
 * checks against its clock anyway, up to a tick later.
 */
import type { Socket } from "node:net";
import type { TickClock } from "../tick-clock.ts";

/** The methods of net.Socket that concern its timer, as node itself calls them. */
interface TimedSocket {
  timeout?: number | undefined;
  readonly destroyed: boolean;
  /** The connection below a TLS one; each has its own timer. */
  readonly _parent?: TimedSocket | null;
  setTimeout(milliseconds: number, callback?: () => void): this;
  /** Restarts the timer after input and output. */
  _unrefTimer?(): void;
  /** Called by the timer. */
  _onTimeout?(): void;
}

/** Less than this is not waited for: timers count whole milliseconds. */
const RESOLUTION_MS = 1;
/** The clock's time is used for timeouts of at least so many ticks. */
const MIN_TICKS = 8;

const TIMER = Symbol("tsgun.timer");

type KeptSocket = Socket & TimedSocket & { [TIMER]: KeptTimer };

/** @param clock the server's; asking the system for the time costs most of what the kept timer saves */
export function reuseTimer(socket: Socket, clock: Clock): void {
  const kept = socket as KeptSocket;
  const { setTimeout, _unrefTimer, _onTimeout: fire } = kept;
  if (_unrefTimer === undefined || fire === undefined) return;
  kept[TIMER] = new KeptTimer(kept, clock, { setTimeout, fire });
  kept.setTimeout = setKept;
  kept._unrefTimer = restartKept;
  kept._onTimeout = keptFired;
}

// Shared: a closure of each for every connection would be a tenth of an idle one's memory.

function setKept(this: KeptSocket, milliseconds: number, callback?: () => void): KeptSocket {
  return this[TIMER].set(milliseconds, callback);
}

function restartKept(this: KeptSocket): void {
  this[TIMER].restart();
}

function keptFired(this: KeptSocket): void {
  this[TIMER].fired();
}

type Clock = Pick<TickClock, "now" | "exact" | "tickMs">;

class KeptTimer {
  readonly #socket: KeptSocket;
  readonly #clock: Clock;
  /** The socket's own. */
  readonly #setTimeout: Socket["setTimeout"];
  readonly #fire: () => void;
  /** The timeout that the timer is for; 0 for none. */
  #length = 0;
  #suspended = false;
  /** Whether node has a timer that will fire. */
  #isSet = false;
  /** Whether it is set for the time between requests: node suspends no other. */
  #isKeepAlive = false;
  /** In the clock's time. */
  #startedAt = 0;

  constructor(
    socket: KeptSocket,
    clock: Clock,
    own: { readonly setTimeout: Socket["setTimeout"]; readonly fire: () => void },
  ) {
    this.#socket = socket;
    this.#clock = clock;
    this.#setTimeout = own.setTimeout;
    this.#fire = own.fire;
  }

  set(milliseconds: number, callback: (() => void) | undefined): KeptSocket {
    const socket = this.#socket;
    const length = this.#length;
    const isReused = length > 0 && callback === undefined && (milliseconds === 0 || milliseconds === length);
    if (isReused && !socket.destroyed) {
      this.#suspended = milliseconds === 0;
      this.#isKeepAlive ||= this.#suspended && length >= this.#clock.tickMs * MIN_TICKS;
      if (!this.#suspended) this.#start();
      socket.timeout = milliseconds;
      return socket;
    }
    this.#suspended = false;
    this.#setTimeout.call(socket, milliseconds, callback);
    this.#length = socket.timeout ?? 0;
    this.#isSet = this.#length > 0;
    this.#isKeepAlive = false;
    this.#startedAt = this.#clock.exact;
    return socket;
  }

  restart(): void {
    this.#socket._parent?._unrefTimer?.();
    if (this.#length > 0 && !this.#suspended) this.#start();
  }

  #start(): void {
    this.#startedAt = this.#isKeepAlive ? this.#clock.now : this.#clock.exact;
    if (!this.#isSet && !this.#socket.destroyed) this.#setFor(this.#length);
  }

  #setFor(milliseconds: number): void {
    this.#setTimeout.call(this.#socket, milliseconds);
    this.#isSet = true;
  }

  fired(): void {
    this.#isSet = false;
    if (this.#suspended) return;
    const left = this.#length - (this.#clock.exact - this.#startedAt);
    if (left < RESOLUTION_MS) {
      this.#fire.call(this.#socket);
      return;
    }
    this.#setFor(left);
    this.#socket.timeout = this.#length;
  }
}
