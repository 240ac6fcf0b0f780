/**
 * Async scopes, in which `AsyncLocalStorage` keeps its stores. The requests of one connection come out of the same
 * callbacks: without a scope of its own, what one request enters with `enterWith` would be there for the next.
 */
import { AsyncResource } from "node:async_hooks";

/** The scope of one request: it has the stores of where it is made, and keeps those that are entered within. */
export function requestScope(): AsyncResource {
  return new AsyncResource("TSGUN_REQUEST");
}
