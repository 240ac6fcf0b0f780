/** The loader's result: an app of one of the two kinds that we have servers for. */
import type { IncomingMessage, RequestListener } from "node:http";
import type { Duplex } from "node:stream";
import type { App } from "../gateway/types.ts";

/** `--interface`: how to call the app; `auto` detects it. */
export type AppInterface = "auto" | "gateway" | "fetch" | "node";

/** Served by the gateway engine: gateway apps, and fetch apps adapted to the gateway interface. */
export interface LoadedGatewayApp {
  readonly kind: "gateway";
  /** Detected kind, for messages: "gateway handler", "fetch app". */
  readonly what: string;
  readonly app: App;
}

export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** Served by node's own http.Server, whose request and response objects it needs. */
export interface LoadedNodeApp {
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
  /** Runs in each worker before its first connection. Rejects with the app's own error. */
  startup?(): Promise<void>;
  /** Runs in each worker after its last response. */
  shutdown?(): Promise<void>;
  /** `shutdown` ends upgraded connections, as frameworks with WebSocket plugins do. */
  readonly closesUpgraded?: true;
}

export type LoadedApp = LoadedGatewayApp | LoadedNodeApp;
