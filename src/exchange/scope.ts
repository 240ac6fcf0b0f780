/**
 * Async scopes, which hold the stores of `AsyncLocalStorage`. The requests of a connection run from the same callbacks,
 * so without a scope per request, a store entered with `enterWith` would leak into the next request.
 */
import { AsyncResource } from "node:async_hooks";

/** Creates the scope of one request. It inherits the current stores and confines those entered within it. */
export function requestScope(): AsyncResource {
  return new AsyncResource("TSGUN_REQUEST");
}
