/**
 * Keeps from the app the events of this process that are meant for the worker.
 *
 *  - SIGTERM and SIGINT, until the worker has drained. A listener of the app that calls `process.exit()` or closes its
 *    server, as nearly every app's does, would otherwise drop the requests in flight. After the drain the app's
 *    listeners run as under a plain kill.
 *  - The arbiter's messages: an app that listens for messages expects its own.
 */
import { constants } from "node:os";
import { unseal } from "../ipc/envelope.ts";

const HELD = ["SIGTERM", "SIGINT"] as const;

export type HeldSignal = (typeof HELD)[number];
type Listener = (...args: unknown[]) => void;

export interface OwnHandlers<Message> {
  message(message: Message): void;
  readonly signals: Readonly<Record<HeldSignal, () => void>>;
}

export class OwnEvents<Message> {
  readonly #signals = new Map<string, Listener>();

  constructor({ message, signals }: OwnHandlers<Message>) {
    const own = this.#signals;
    const emit = process.emit as Listener;
    // Before the first listener: Node calls the `emit` that it finds then.
    process.emit = function (this: NodeJS.Process, event: string, ...args: unknown[]): boolean {
      const received = event === "message" ? unseal<Message>(args[0]) : undefined;
      if (received !== undefined) {
        message(received);
        return true;
      }
      const handle = own.get(event);
      if (handle === undefined) return Reflect.apply(emit, this, [event, ...args]) as unknown as boolean;
      handle();
      return true;
    } as typeof process.emit;
    // Node reads the channel, and handles a signal, only while there is a listener.
    process.on("message", () => {});
    for (const signal of HELD) {
      own.set(signal, signals[signal]);
      process.on(signal, signals[signal]);
    }
  }

  /** Whether the app listens for `signal`. */
  appListens(signal: HeldSignal): boolean {
    const own = this.#signals.get(signal);
    return process.listeners(signal).some((listener) => listener !== own);
  }

  /** Runs the app's listeners of `signal`. Later signals reach them directly. */
  release(signal: HeldSignal): void {
    for (const [name, handler] of this.#signals) process.off(name, handler);
    if (this.#signals.size === 0) return;
    this.#signals.clear();
    // With its number, as Node does: apps exit with 128 and that.
    Reflect.apply(process.emit, process, [signal, signal, constants.signals[signal]]);
  }
}
