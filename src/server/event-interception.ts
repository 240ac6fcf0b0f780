/**
 * Handles a server's events before its own listeners see them. A listener of ours could not: it would be called beside
 * the app's, which would still handle a request that is refused.
 */
import type { Server } from "node:net";

// biome-ignore lint/suspicious/noExplicitAny: each event has arguments of its own.
type Handler = (...args: any[]) => boolean;

/** Makes the handler of an event. `pass` passes the event on to the app's listeners and returns whether there are any. */
export type Interceptor = (pass: Handler) => Handler;

/** Calls these handlers in place of the listeners of their events. */
export function interceptEvents(server: Server, interceptors: Readonly<Record<string, Interceptor>>): void {
  const emit = server.emit as (event: string, ...args: unknown[]) => boolean;
  const handlers = new Map<string, Handler>();
  for (const [event, intercept] of Object.entries(interceptors)) {
    handlers.set(
      event,
      intercept((...args) => emit.call(server, event, ...args)),
    );
  }
  // All requests come through here, and rest parameters cost each of them an array.
  server.emit = function (this: Server, event: string, first: unknown, second: unknown, third: unknown) {
    const handler = handlers.get(event);
    // biome-ignore lint/complexity/noArguments: the number of arguments must not change.
    return handler === undefined ? Reflect.apply(emit, this, arguments) : handler(first, second, third);
  } as typeof server.emit;
}

/** Without a listener Node does not emit these events, and handles the request itself. */
const EVENTS_WITH_DEFAULT = ["checkContinue", "checkExpectation", "connect"];

const ours = (): void => {};

/** Makes Node emit all events, so that they can be intercepted. */
export function requestAllEvents(server: Server): void {
  for (const event of EVENTS_WITH_DEFAULT) server.on(event, ours);
}

/** Whether the app listens for `event`. */
export function appListens(server: Server, event: string): boolean {
  return server.listeners(event).some((listener) => listener !== ours);
}
