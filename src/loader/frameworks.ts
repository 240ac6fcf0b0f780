/**
 * Recognises apps of frameworks that run on node's own server by methods that only they have. `instanceof` would
 * miss a second copy of the package.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { Server as NetServer } from "node:net";
import { ExitCode, FatalError } from "../errors.ts";
import type { UpgradeListener } from "../server/node/node-server-options.ts";
import type { LoadedNodeApp } from "./loaded-app.ts";

type Method = (...args: unknown[]) => unknown;
type Methods<Names extends string> = Record<Names, Method>;

interface Framework {
  readonly what: string;
  matches(value: unknown): boolean;
  /** Throws `FatalError` when the value belongs to the framework but cannot be served as it is. */
  load(value: unknown, shown: string): Omit<LoadedNodeApp, "kind" | "what">;
}

/** Returns the framework that `value` belongs to; undefined for none. */
export function frameworkOf(
  value: unknown,
): { what: string; load(shown: string): LoadedNodeApp } | undefined {
  const found = FRAMEWORKS.find((framework) => framework.matches(value));
  if (found === undefined) return undefined;
  const { what } = found;
  return {
    what,
    load(shown) {
      // Copy descriptors: `upgrade` may be a getter that must stay live.
      const parts = Object.getOwnPropertyDescriptors(found.load(value, shown));
      return Object.defineProperties({ kind: "node", what } as LoadedNodeApp, parts);
    },
  };
}

/** True for a thenable app instance: awaiting it would start it. */
export function isStartedByAwait(value: unknown): boolean {
  return fastify.matches(value);
}

const fastify: Framework = {
  what: "Fastify instance",
  matches: (value) => has(value, "ready", "routing", "inject"),
  load(value) {
    const instance = value as Methods<"ready" | "routing" | "close"> & { server?: unknown };
    return {
      listener(request, response) {
        instance.routing(request, response);
      },
      ...serverOf(instance.server),
      get upgrade() {
        return upgradeOf(instance.server);
      },
      async startup() {
        await instance.ready();
      },
      // Plugins end WebSockets in its `preClose` hooks.
      async shutdown() {
        await instance.close();
      },
      closesUpgraded: true,
    };
  },
};

const nest: Framework = {
  what: "Nest application",
  matches: (value) => has(value, "getHttpAdapter", "init", "close"),
  load(value, shown) {
    const app = value as Methods<"getHttpAdapter" | "getHttpServer" | "init" | "close">;
    const under = (app.getHttpAdapter() as Methods<"getInstance">).getInstance();
    // Nest on Fastify: init() registers the routes, ready() then builds the router.
    const inner = fastify.matches(under) ? fastify.load(under, shown) : undefined;
    return {
      listener: inner?.listener ?? (under as RequestListener),
      ...http1Of(under),
      ...serverOf(app.getHttpServer()),
      get upgrade() {
        return upgradeOf(app.getHttpServer());
      },
      async startup() {
        await app.init();
        await inner?.startup?.();
      },
      // Ends the WebSockets of Nest's gateways.
      async shutdown() {
        await app.close();
      },
      closesUpgraded: true,
    };
  },
};

const httpServer: Framework = {
  what: "http.Server",
  matches: (value) => value instanceof NetServer,
  load(value, shown) {
    const server = value as NetServer;
    if (server.listenerCount("request") === 0) {
      throw refusal(`${shown} is an http.Server without a request listener: give createServer() one`);
    }
    return {
      listener(request, response) {
        server.emit("request", request, response);
      },
      ...http1Of(...server.listeners("request")),
      server,
      get upgrade() {
        return upgradeOf(server);
      },
    };
  },
};

const koa: Framework = {
  what: "Koa app",
  matches: (value) => typeof value === "object" && has(value, "callback", "use"),
  load: (value) => ({
    listener: (value as Methods<"callback">).callback() as RequestListener,
    upgrade: undefined,
  }),
};

/** Express and Connect: a function that is its own listener. */
const express: Framework = {
  what: "Express app",
  matches: (value) => typeof value === "function" && has(value, "handle", "use"),
  load(value, shown) {
    if (!has(value, "listen"))
      throw refusal(`${shown} is an Express router, not an app: mount it with app.use()`);
    return { listener: value as unknown as RequestListener, upgrade: undefined, ...http1Of(value) };
  },
};

/** The return value of Koa's callback(). Its text contains the call of createContext even when minified. */
const koaCallback: Framework = {
  what: "Koa callback",
  matches: (value) =>
    typeof value === "function" && /\.createContext\(/.test(Function.prototype.toString.call(value)),
  load: (value) => ({ listener: value as RequestListener, upgrade: undefined }),
};

const FRAMEWORKS: readonly Framework[] = [fastify, nest, httpServer, koa, express, koaCallback];

function has<Names extends string>(value: unknown, ...names: Names[]): value is Methods<Names> {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === "function");
}

/** Express has prototypes for its requests and responses, which are node's own for HTTP/1.1; Connect has none. */
function http1Of(...listeners: readonly unknown[]): { needsHttp1?: true } {
  const isExpress = listeners.some((listener) => {
    if (typeof listener !== "function" || !has(listener, "handle", "set")) return false;
    const { request, response } = listener as { request?: unknown; response?: unknown };
    return typeof request === "object" && typeof response === "object";
  });
  return isExpress ? { needsHttp1: true } : {};
}

function serverOf(server: unknown): { server?: NetServer } {
  return server instanceof NetServer ? { server } : {};
}

/** Emits upgrades on a server that never listens itself; undefined when it has no `upgrade` listener. */
function upgradeOf(server: unknown): UpgradeListener | undefined {
  if (!(server instanceof NetServer) || server.listenerCount("upgrade") === 0) return undefined;
  return (request, socket, head) => {
    server.emit("upgrade", request, socket, head);
  };
}

/** Whether this is a server that node's http.Server cannot stand in for: net, tls, https, http2. */
export function isOtherServer(value: unknown): value is NetServer {
  if (!(value instanceof NetServer)) return false;
  // Load node:http late: it is a third of a worker's start-up time, and a gateway app does not need it.
  const { Server: HttpServer } = createRequire(import.meta.url)("node:http") as typeof import("node:http");
  return !(value instanceof HttpServer);
}

function refusal(message: string): FatalError {
  return new FatalError(message, ExitCode.appLoad);
}

/** A bare listener, as given to http.createServer. */
export function plainListener(
  listener: (request: IncomingMessage, response: ServerResponse) => void,
): LoadedNodeApp {
  return { kind: "node", what: "node listener", listener, upgrade: undefined };
}
