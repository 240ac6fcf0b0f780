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

/** @param clock the server's; asking the system for the time costs most of what the kept timer saves */
export function reuseTimer(socket: Socket, clock: Pick<TickClock, "now" | "exact" | "tickMs">): void {
  const timed = socket as Socket & TimedSocket;
  const { setTimeout, _unrefTimer: restart, _onTimeout: fire } = timed;
  if (restart === undefined || fire === undefined) return;
  /** The timeout that the timer is for; 0 for none. */
  let length = 0;
  let suspended = false;
  /** Whether node has a timer that will fire. */
  let isSet = false;
  /** Whether it is set for the time between requests: node suspends no other. */
  let isKeepAlive = false;
  /** In the clock's time. */
  let startedAt = 0;
  const set = (milliseconds: number): void => {
    setTimeout.call(socket, milliseconds);
    isSet = true;
  };
  const start = (): void => {
    startedAt = isKeepAlive ? clock.now : clock.exact;
    if (isSet || socket.destroyed) return;
    set(length);
  };
  timed.setTimeout = (milliseconds, callback) => {
    const isReused = length > 0 && callback === undefined && (milliseconds === 0 || milliseconds === length);
    if (isReused && !socket.destroyed) {
      suspended = milliseconds === 0;
      isKeepAlive ||= suspended && length >= clock.tickMs * MIN_TICKS;
      if (!suspended) start();
      timed.timeout = milliseconds;
      return timed;
    }
    suspended = false;
    setTimeout.call(socket, milliseconds, callback);
    length = socket.timeout ?? 0;
    isSet = length > 0;
    isKeepAlive = false;
    startedAt = clock.exact;
    return timed;
  };
  timed._unrefTimer = () => {
    timed._parent?._unrefTimer?.();
    if (length > 0 && !suspended) start();
  };
  timed._onTimeout = () => {
    isSet = false;
    if (suspended) return;
    const left = length - (clock.exact - startedAt);
    if (left < RESOLUTION_MS) {
      fire.call(socket);
      return;
    }
    set(left);
    timed.timeout = length;
  };
}
