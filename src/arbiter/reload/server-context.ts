/** The server as its hooks see it. Each property is read when a hook asks for it, so that it is up to date. */
import type { ServerContext } from "../../config/hooks.ts";
import { processName } from "../../config/process-title.ts";
import type { ErrorLog } from "../../log/error-log.ts";
import type { Pool } from "../pool/pool.ts";
import type { Listeners } from "../sockets/listeners.ts";
import type { Generations } from "./generations.ts";

export interface ServerParts {
  readonly generations: Generations;
  readonly listeners: Pick<Listeners, "urls">;
  readonly pool: Pool;
  readonly log: ErrorLog;
}

/** @param parts need not exist before the first hook runs */
export function serverContext(parts: ServerParts): ServerContext {
  return {
    pid: process.pid,
    get name() {
      return processName(parts.generations.currentConfig);
    },
    get listening() {
      return parts.listeners.urls;
    },
    get generation() {
      return parts.generations.newest;
    },
    get workers() {
      return parts.pool.desired.target;
    },
    get log() {
      return parts.log;
    },
  };
}
