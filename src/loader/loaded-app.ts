/** What the loader hands to the worker: an app of one of the two kinds that there are servers for. */
import type { IncomingMessage, RequestListener } from "node:http";
import type { Duplex } from "node:stream";
import type { App } from "../gateway/types.ts";

/** `--interface`: how a value is to be taken; `auto` looks at it. */
export type AppInterface = "auto" | "gateway" | "fetch" | "node";

/** Served by the gateway engine: gateway apps, and fetch apps in gateway's clothes. */
export interface LoadedGatewayApp {
  readonly kind: "gateway";
  /** What it was taken for, for people: "gateway handler", "fetch app". */
  readonly what: string;
  readonly app: App;
}

export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** Served by node's own http.Server, whose request and response objects it needs. */
export interface LoadedNodeApp {
  readonly kind: "node";
  /** What it was taken for, for people: "Express app", "Fastify instance". */
  readonly what: string;
  readonly listener: RequestListener;
  /**
   * For the server's `upgrade` event. To be read after `startup`, because plugins listen for it only then;
   * undefined when nobody listens, and then the server must not listen either (Node would leave such
   * requests to the listener instead of answering them).
   */
  readonly upgrade: UpgradeListener | undefined;
  /** Runs in each worker before its first connection. Rejects with the app's own error. */
  startup?(): Promise<void>;
  /** Runs in each worker after its last answer. */
  shutdown?(): Promise<void>;
  /** `shutdown` ends the connections that the app has taken over, as frameworks with plugins for WebSockets do. */
  readonly closesUpgraded?: true;
}

export type LoadedApp = LoadedGatewayApp | LoadedNodeApp;
