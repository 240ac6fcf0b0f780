/** All servers of the field, by name. */
import { resolve } from "node:path";
import type { Server } from "../lib/server.ts";
import { BUN } from "./bun.ts";
import { NGINX } from "./nginx.ts";
import { CANNED, CLUSTER, HONO_NODE, NODE } from "./node.ts";
import { GUNICORN, GUNICORN_THREADS, PM2, PUMA } from "./pools.ts";
import { tsgunServers } from "./tsgun.ts";

export const SERVERS: readonly Server[] = [
  ...tsgunServers(),
  NODE,
  CLUSTER,
  HONO_NODE,
  BUN,
  PM2,
  PUMA,
  GUNICORN,
  GUNICORN_THREADS,
  CANNED,
  NGINX,
];

/** The server of a name; `tsgun@FOLDER`, `tsgun-fetch@FOLDER` and so on are another build of tsgun. */
export function serverNamed(name: string): Server | undefined {
  const [, folder] = /^tsgun[^@]*@(.+)$/.exec(name) ?? [];
  const known = folder === undefined ? SERVERS : tsgunServers(resolve(folder));
  return known.find(
    (server) => server.name === name || server.name === name.replace(/@.*/, `@${resolve(folder ?? "")}`),
  );
}
