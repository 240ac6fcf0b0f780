/**
 * Keeps the timer of a socket's `setTimeout`. Node sets it to `keepAliveTimeout` after each response and to 0 at the next
 * request, each time with a new timer, which costs a small request more than all that the server itself does for it.
 * Here the timer is only suspended, and restarted if the next timeout is as long. It fires when node's would.
 */
import type { Socket } from "node:net";

/** The methods of net.Socket that concern its timer, as node itself calls them. */
interface TimedSocket {
  timeout?: number | undefined;
  readonly destroyed: boolean;
  setTimeout(milliseconds: number, callback?: () => void): this;
  /** Restarts the timer after input and output. */
  _unrefTimer?(): void;
  /** Called by the timer. */
  _onTimeout?(): void;
}

export function reuseTimer(socket: Socket): void {
  const timed = socket as Socket & TimedSocket;
  const { setTimeout, _unrefTimer: restart, _onTimeout: fire } = timed;
  if (restart === undefined || fire === undefined) return;
  /** The length of the timer that node has; 0 for none. */
  let length = 0;
  let suspended = false;
  timed.setTimeout = (milliseconds, callback) => {
    const isReused = length > 0 && callback === undefined && (milliseconds === 0 || milliseconds === length);
    if (isReused && !socket.destroyed) {
      suspended = milliseconds === 0;
      timed.timeout = milliseconds;
      if (!suspended) restart.call(socket);
      return timed;
    }
    suspended = false;
    setTimeout.call(socket, milliseconds, callback);
    length = socket.timeout ?? 0;
    return timed;
  };
  timed._unrefTimer = () => {
    if (!suspended) restart.call(socket);
  };
  timed._onTimeout = () => {
    if (!suspended) fire.call(socket);
  };
}
