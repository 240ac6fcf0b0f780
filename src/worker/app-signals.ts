/**
 * Keeps SIGTERM and SIGINT from the app's own listeners until the worker has drained. A listener that calls
 * `process.exit()` or closes its server, as nearly every app's does, would otherwise drop the requests in flight.
 *
 * After the drain the listeners run as under a plain kill, and the app ends the process, or lets it end by leaving nothing
 * to do.
 */

const HELD = ["SIGTERM", "SIGINT"] as const;

type Held = (typeof HELD)[number];
type Listener = (...args: unknown[]) => void;

export class AppSignals {
  readonly #own = new Map<string, Listener>();

  /** @param handlers the worker's own handlers, called in place of the app's listeners */
  constructor(handlers: Readonly<Record<Held, () => void>>) {
    const own = this.#own;
    const emit = process.emit as Listener;
    // Before the first listener: Node calls the `emit` that it finds then.
    process.emit = function (this: NodeJS.Process, event: string, ...args: unknown[]): boolean {
      const handler = own.get(event);
      if (handler === undefined) return Reflect.apply(emit, this, [event, ...args]) as unknown as boolean;
      handler();
      return true;
    } as typeof process.emit;
    for (const signal of HELD) {
      own.set(signal, handlers[signal]);
      // Node handles a signal only while there is a listener.
      process.on(signal, handlers[signal]);
    }
  }

  /** Whether the app listens for `signal`. */
  has(signal: Held): boolean {
    return this.#ofApp(signal).length > 0;
  }

  /** Runs the app's listeners. Later signals reach them directly. */
  release(signal: Held): void {
    for (const [name, handler] of this.#own) process.off(name, handler);
    if (this.#own.size === 0) return;
    this.#own.clear();
    process.emit(signal, signal);
  }

  #ofApp(signal: Held): unknown[] {
    const own = this.#own.get(signal);
    return process.listeners(signal).filter((listener) => listener !== own);
  }
}
