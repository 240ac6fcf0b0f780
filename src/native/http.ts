/**
 * The values of node:http that we use, by `require`: an ES module that imports node:http reads all of its members, and
 * from Node 22 on one of them loads fetch and WebSocket (30 ms and 6 MB in each process).
 */
import { createRequire } from "node:module";

export const {
  createServer,
  METHODS,
  request,
  ServerResponse,
  STATUS_CODES,
  validateHeaderName,
  validateHeaderValue,
} = createRequire(import.meta.url)("node:http") as typeof import("node:http");
