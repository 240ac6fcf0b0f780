/**
 * The routes that an app names for its requests, for the metrics. The names are kept on the requests themselves, and the
 * flag on the global object, because the app may import another copy of this package than the one that serves it. A
 * request whose app names no routes costs one read of the flag, at its end.
 */
import type { IncomingMessage } from "node:http";
import type { GatewayRequest } from "../gateway/types.ts";

/** Leads from what the app has to the request that the server counts. */
export const ROUTED = Symbol.for("tsgun.routed");
const ROUTE = Symbol.for("tsgun.route");
const STATE = Symbol.for("tsgun.routes");

interface RouteState {
  /** Whether this process counts requests: it is a worker, and has metrics. */
  counts: boolean;
  /** Whether the app has ever named a route. */
  named: boolean;
}

const global = globalThis as { [STATE]?: RouteState };
global[STATE] ??= { counts: false, named: false };
const state = global[STATE];

/**
 * Names the route of a request, such as `/users/:id`: the label `http_route` of its duration. Call it before the response
 * ends; the last name counts. A worker counts 200 routes, each by its first 80 characters; all further ones are `_other`.
 * Characters that a label cannot hold (`|`, control characters, beyond Latin-1) become `?`. Without metrics, and outside a
 * worker, it has no effect.
 *
 * @param request as tsgun gave it to the app: a gateway request, or one that is derived of it; node's `IncomingMessage`
 *   (`req` in Express, `request.raw` in Fastify, `ctx.req` in Koa); the fetch `Request` or its `clone()` (`c.req.raw` in
 *   Hono), but no copy by `new Request(request)`
 * @throws TypeError if the request is anything else, or the route is no string or empty
 */
export function setRoute(request: GatewayRequest | IncomingMessage | Request, route: string): void {
  if (typeof route !== "string" || route === "")
    throw new TypeError("setRoute takes a route that is a string and not empty, such as /users/:id");
  const routed = routedRequest(request);
  if (routed === undefined && !isUncounted(request)) {
    throw new TypeError(
      "setRoute takes the request as tsgun gave it to the app: a gateway request, node's IncomingMessage (req in Express," +
        " request.raw in Fastify, ctx.req in Koa) or the fetch Request (c.req.raw in Hono), no copy of it",
    );
  }
  if (routed === undefined || !state.counts) return;
  (routed as { [ROUTE]?: string })[ROUTE] = route;
  state.named = true;
}

/** The request that the server counts; undefined if this is none that leads to it. */
export function routedRequest(request: unknown): object | undefined {
  if (typeof request !== "object" || request === null) return undefined;
  const { [ROUTED]: routed } = request as { readonly [ROUTED]?: object };
  if (routed !== undefined) return routed;
  // An `IncomingMessage`, without loading node:http. No object of a framework has both.
  return "httpVersion" in request && "socket" in request ? request : undefined;
}

/** A fetch request where nothing is counted: of a test, perhaps. Its class is not touched, since that loads all of fetch. */
function isUncounted(request: unknown): boolean {
  return !state.counts && Object.prototype.toString.call(request) === "[object Request]";
}

/** Has `setRoute` keep names: requests of this process are counted. */
export function countRoutes(): void {
  state.counts = true;
}

/** Whether the app has ever named a route. */
export function routesAreNamed(): boolean {
  return state.named;
}

/** The route of a request that the server counts; "" if it has none. */
export function routeOf(request: object | undefined): string {
  return (request as { readonly [ROUTE]?: string } | undefined)?.[ROUTE] ?? "";
}
