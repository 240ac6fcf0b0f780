/** The loader's result: an app of one of the kinds that we have servers for. */
import type { RequestListener } from "node:http";
import type { Server } from "node:net";
import type { App } from "../gateway/types.ts";
import type { UpgradeListener } from "../server/node/node-server-options.ts";

/** `--interface`: how to call the app; `auto` detects it. */
export type AppInterface = "auto" | "gateway" | "fetch" | "node" | "server";

/** How certain the kind of a function is that was exported. */
export interface DetectedFunction {
  /** A function, not an object of a framework. */
  readonly isBareFunction?: true;
  /** Nothing in the function shows its interface. */
  readonly isGuess?: boolean;
}

/** Served by the gateway engine: gateway apps, and fetch apps adapted to the gateway interface. */
export interface LoadedGatewayApp extends DetectedFunction {
  readonly kind: "gateway";
  /** Detected kind, for messages: "gateway handler", "fetch app". */
  readonly what: string;
  readonly app: App;
  /** A fetch app, adapted. */
  readonly isFetch?: true;
}

/** Served by node's own http.Server, whose request and response objects it needs. */
export interface LoadedNodeApp extends DetectedFunction {
  readonly kind: "node";
  /** Detected kind, for messages: "Express app", "Fastify instance". */
  readonly what: string;
  readonly listener: RequestListener;
  /**
   * Handles the server's `upgrade` event. Read it after `startup`, because plugins add their listener only then.
   * When it is undefined the server must not listen for `upgrade` either: without a listener Node handles such a
   * request as an ordinary one, with a listener it leaves the response to it.
   */
  readonly upgrade: UpgradeListener | undefined;
  /** It gives its requests the prototype of node's for HTTP/1.1, so they can be no others. */
  readonly needsHttp1?: true;
  /** The server that the app has of its own; if the app makes it listen, it is served instead of the app. */
  readonly server?: Server;
  /** Runs in each worker before its first connection. Rejects with the app's own error. */
  startup?(): Promise<void>;
  /** Runs in each worker after its last response. */
  shutdown?(): Promise<void>;
  /** `shutdown` ends upgraded connections, as frameworks with WebSocket plugins do. */
  readonly closesUpgraded?: true;
}

/** A server that the app itself makes listen. It has its listeners, or gets them later. */
export interface LoadedServer {
  readonly kind: "server";
  /** Detected kind, for messages: "http.Server of port 3000". */
  readonly what: string;
  readonly server: Server;
  /** Runs in each worker after the last response; only an app that is also exported has one. */
  shutdown?(): Promise<void>;
  readonly closesUpgraded?: true;
}

export type LoadedApp = LoadedGatewayApp | LoadedNodeApp | LoadedServer;
