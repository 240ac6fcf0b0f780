/**
 * `upgradeWebSocket` of @hono/node-server in an exported app. It asks `c.env` for a function, under a symbol of its own,
 * that gives it the WebSocket once the app has returned; the handshake is that of the app's own package `ws`.
 */
import type { IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import type { GatewayRequest, Respond } from "../gateway/types.ts";
import { sendResponse } from "./fetch-response.ts";

/** The symbol is not exported, so only its description tells it. */
const WAITS = "WAIT_FOR_WEBSOCKET_SYMBOL";

/** Fields of the handshake, which `ws` writes. */
const OF_HANDSHAKE = new Set([
  "connection",
  "content-length",
  "content-type",
  "sec-websocket-accept",
  "sec-websocket-extensions",
  "sec-websocket-protocol",
  "transfer-encoding",
  "upgrade",
]);

interface WebSockets {
  handleUpgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    accepted: (socket: unknown) => void,
  ): void;
  on(event: "headers", listener: (lines: string[]) => void): void;
  off(event: "headers", listener: (lines: string[]) => void): void;
}

interface Waiter {
  resolve(socket: unknown): void;
  reject(error: Error): void;
}

let webSockets: WebSockets | undefined;

/** @throws Error if the app has no package `ws` */
function appsWebSockets(): WebSockets {
  if (webSockets === undefined) {
    let ws: { WebSocketServer: new (options: object) => WebSockets };
    try {
      ws = createRequire(join(process.cwd(), "package.json"))("ws");
    } catch (cause) {
      throw new Error("upgradeWebSocket needs the package ws: npm install ws", { cause });
    }
    webSockets = new ws.WebSocketServer({ noServer: true });
  }
  return webSockets;
}

/**
 * Calls the app for a request that asks for a WebSocket. If the app took it, makes the connection one; else sends its
 * response.
 */
export async function fetchWebSocket<Environment extends { readonly incoming: IncomingMessage }>(
  call: (environment: Environment) => Response | Promise<Response>,
  environment: Environment,
  request: GatewayRequest,
  respond: Respond,
): Promise<void> {
  let waiter: Waiter | undefined;
  const wait = (): Promise<unknown> =>
    new Promise((resolve, reject) => {
      waiter = { resolve, reject };
    });
  const asked = new Proxy(environment, {
    get: (target, key) =>
      typeof key === "symbol" && key.description === WAITS ? wait : Reflect.get(target, key, target),
  });
  const response = await call(asked);
  if (waiter === undefined || response.status !== 200)
    return await sendResponse(response, request.method, respond);
  const { resolve, reject }: Waiter = waiter;
  try {
    const sockets = appsWebSockets();
    const addFields = (lines: string[]): void => {
      for (const [name, value] of response.headers)
        if (!OF_HANDSHAKE.has(name)) lines.push(`${name}: ${value}`);
    };
    sockets.on("headers", addFields);
    try {
      sockets.handleUpgrade(environment.incoming, respond.upgrade(), Buffer.alloc(0), resolve);
    } finally {
      sockets.off("headers", addFields);
    }
  } catch (error) {
    reject(error as Error);
    throw error;
  }
}
