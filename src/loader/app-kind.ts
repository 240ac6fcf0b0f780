/**
 * Detects the kind of an app. Under `auto` the first matching rule decides:
 *
 *  1. A framework recognised by its methods (Fastify, Nest, http.Server, Koa, Express, Connect): node.
 *  2. A server of another kind (net, tls, https, http2): a server.
 *  3. A function: by its parameters (`function-interface.ts`).
 *  4. An object with a method `handle`: a gateway app (unless it is a fetch app whose `handle` takes one parameter).
 *  5. An object with a method `fetch`: fetch.
 */
import { ExitCode, FatalError } from "../errors.ts";
import type { App, Handler } from "../gateway/types.ts";
import type { FetchFunction } from "../interop/fetch.ts";
import { NoApp } from "./exports.ts";
import { frameworkOf, isOtherServer, plainListener } from "./frameworks.ts";
import { functionInterface } from "./function-interface.ts";
import type { AppInterface, LoadedApp, LoadedGatewayApp } from "./loaded-app.ts";

type AnyFunction = (...args: never[]) => unknown;

/**
 * Converts `value` to an app that one of our servers can serve. `shown` names the value in messages.
 * Rejects with `FatalError` (`ExitCode.appLoad`) when it is not an app, or not of the interface `wanted`.
 */
export async function loadedAppOf(value: unknown, wanted: AppInterface, shown: string): Promise<LoadedApp> {
  if (isOtherServer(value)) {
    const { kindOf } = await import("./listening-app.ts");
    if (wanted !== "auto" && wanted !== "server") throw mismatch(shown, kindOf(value), "server", wanted);
    return { kind: "server", what: kindOf(value), server: value };
  }
  const framework = frameworkOf(value);
  if (framework !== undefined) {
    if (wanted !== "auto" && wanted !== "node") throw mismatch(shown, framework.what, "node", wanted);
    return framework.load(shown);
  }
  if (typeof value === "function") return functionApp(value as AnyFunction, wanted, shown);
  if (typeof value === "object" && value !== null) return objectApp(value, wanted, shown);
  throw new NoApp(
    `${shown} is ${describe(value)}, not an app: export a handler, an app object or a framework's app`,
  );
}

async function functionApp(value: AnyFunction, wanted: AppInterface, shown: string): Promise<LoadedApp> {
  const text = Function.prototype.toString.call(value);
  if (/^class\b/.test(text)) throw refusal(`${shown} is a class, not an app: export an instance of it`);
  if (wanted === "server")
    throw refusal(
      `${shown} is a function, not a server: --interface server is for an app that listens itself`,
    );
  const judged = wanted === "auto" ? functionInterface(value) : { interface: wanted, isGuess: false };
  const bare = { isGuess: judged.isGuess, isBareFunction: true } as const;
  if (judged.interface === "node") {
    return { ...plainListener(value as Parameters<typeof plainListener>[0]), ...bare };
  }
  if (judged.interface === "fetch") {
    return { ...(await fetchApp("fetch function", value as FetchFunction)), ...bare };
  }
  if (wanted === "auto" && takesNothing(value, text)) {
    throw refusal(
      `${shown} takes no parameters, so it cannot respond to a request; if it returns the app, name its call: ${shown}()`,
    );
  }
  return { ...gatewayApp("gateway handler", { handle: value as Handler }), ...bare };
}

function takesNothing(value: AnyFunction, text: string): boolean {
  return (
    value.length === 0 &&
    /^(?:async\s+)?(?:function\b\s*)?[\w$]*\s*\(\s*\)/.test(text) &&
    !/\barguments\b|\[native code\]/.test(text)
  );
}

async function objectApp(value: object, wanted: AppInterface, shown: string): Promise<LoadedApp> {
  const { handle, fetch } = value as { handle?: unknown; fetch?: unknown };
  const handles = typeof handle === "function" && !(typeof fetch === "function" && handle.length === 1);
  if (typeof handle === "function" && (wanted === "gateway" || (wanted === "auto" && handles))) {
    return gatewayApp("gateway app", checkedApp(value as App, shown));
  }
  if (typeof fetch === "function" && (wanted === "fetch" || wanted === "auto")) {
    return fetchApp("fetch app", (fetch as FetchFunction).bind(value));
  }
  if (handles) throw mismatch(shown, "gateway app", "gateway", wanted);
  if (typeof fetch === "function") throw mismatch(shown, "fetch app", "fetch", wanted);
  throw new NoApp(
    `${shown} is an object with ${keysOf(value)}, not an app: an app has a method handle (gateway) or fetch`,
  );
}

function checkedApp(app: App, shown: string): App {
  for (const method of ["startup", "shutdown", "upgrade"] as const) {
    const type = typeof app[method];
    if (type !== "function" && type !== "undefined")
      throw refusal(`${shown}.${method} is ${type}, not a function`);
  }
  return app;
}

function gatewayApp(what: string, app: App): LoadedGatewayApp {
  return { kind: "gateway", what, app };
}

/** Loads the adapter for fetch apps. It is a tenth of what a worker loads, so only apps that may need it do. */
export const fetchInterop = () => import("../interop/fetch.ts");

async function fetchApp(what: string, fetch: FetchFunction): Promise<LoadedGatewayApp> {
  const { fromFetch } = await fetchInterop();
  const { installFetchClasses } = await import("../interop/fetch-classes.ts");
  installFetchClasses();
  return { ...gatewayApp(what, { handle: fromFetch(fetch) }), isFetch: true };
}

function keysOf(value: object): string {
  const keys = Object.keys(value);
  return keys.length === 0 ? "no properties" : `the properties ${keys.slice(0, 8).join(", ")}`;
}

function describe(value: unknown): string {
  return value === null ? "null" : typeof value === "undefined" ? "undefined" : `a ${typeof value}`;
}

function mismatch(shown: string, what: string, has: string, wanted: string): FatalError {
  const article = /^[AEIO]|^http/.test(what) ? "an" : "a";
  return refusal(
    `${shown} is ${article} ${what}, not of interface ${wanted}: use --interface ${has} or auto`,
  );
}

function refusal(message: string): FatalError {
  return new FatalError(message, ExitCode.appLoad);
}
