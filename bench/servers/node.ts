/** Node without tsgun: one process, a pool by hand, Hono's adapter, and the least that can be done on a socket. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { APPS, ROOT } from "../lib/programs.ts";
import type { AppName, Command, Launch, Place, Server } from "../lib/server.ts";

const LISTENERS: { readonly [App in AppName]?: string } = {
  hello: join(APPS, "hello/listener.mjs"),
  routes: join(APPS, "routes/listener.mjs"),
  work: join(APPS, "work/listener.mjs"),
};
const FETCH_APPS: { readonly [App in AppName]?: string } = {
  hello: join(APPS, "hello/fetch.mjs"),
  routes: join(APPS, "routes/fetch.mjs"),
  hono: join(APPS, "hono/app.mjs"),
};

/** The variables of the programs in `bench/apps`. */
export function variables({ workers, keepAlive }: Launch, { address }: Place): { [name: string]: string } {
  return {
    PORT: `${address}`,
    WORKERS: `${workers}`,
    ...(keepAlive !== undefined && { KEEP_ALIVE: `${keepAlive}` }),
  };
}

/** The program of an app in `bench/apps`, and the variables that say which app it serves. */
export function programOf(app: AppName): { file: string; env: { [name: string]: string } } | undefined {
  if (app === "express" || app === "fastify") return { file: `${app}/server.mjs`, env: {} };
  const listener = LISTENERS[app];
  return listener === undefined ? undefined : { file: "programs/node-http.mjs", env: { LISTENER: listener } };
}

function node(file: string, launch: Launch, place: Place, env: { readonly [name: string]: string }): Command {
  return {
    words: [launch.node ?? process.execPath, join(APPS, file)],
    env: { ...variables(launch, place), ...env },
  };
}

export const NODE: Server = {
  name: "node",
  what: "plain node, one process: node:http, or the framework's own listen()",
  version: () => process.versions.node,
  command(launch, place) {
    const program = programOf(launch.app);
    if (program === undefined || launch.workers !== 1) return undefined;
    return node(program.file, launch, place, program.env);
  },
};

export const CLUSTER: Server = {
  name: "cluster",
  what: "a pool on node:cluster in one file, as in Node's documentation",
  version: () => process.versions.node,
  servesAll: true,
  command(launch, place) {
    const listener = LISTENERS[launch.app];
    const { protocol = "http" } = launch;
    if (protocol !== "http") {
      if (listener === undefined) return undefined;
      const { certificate = "", key = "" } = place.certificate ?? {};
      const env = { LISTENER: listener, PROTOCOL: protocol, CERTIFICATE: certificate, KEY: key };
      return node("programs/node-cluster-edge.mjs", launch, place, env);
    }
    if (launch.app === "hello") return node("programs/node-cluster.mjs", launch, place, {});
    return listener === undefined
      ? undefined
      : node("programs/node-cluster.mjs", launch, place, { LISTENER: listener });
  },
};

export const HONO_NODE: Server = {
  name: "hono-node",
  what: "a fetch app under @hono/node-server on plain node",
  version: () =>
    JSON.parse(readFileSync(join(ROOT, "node_modules/@hono/node-server/package.json"), "utf8")).version,
  command(launch, place) {
    const app = FETCH_APPS[launch.app];
    if (app === undefined || launch.workers !== 1 || typeof place.address === "string") return undefined;
    return node("hono/server.mjs", launch, place, { APP: app });
  },
};

export const CANNED: Server = {
  name: "canned",
  what: "the same bytes for each request on node:net, without a parser",
  version: () => process.versions.node,
  command(launch, place) {
    if (launch.app !== "hello" || launch.workers !== 1) return undefined;
    return node("programs/canned.mjs", launch, place, {});
  },
};

/** The module of a fetch app. */
export const fetchAppOf = (app: AppName): string | undefined => FETCH_APPS[app];
