/** tsgun, in the four ways in which it serves apps. Another build of it is `tsgun@FOLDER`. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { APPS, ROOT } from "../lib/programs.ts";
import { type AppName, type Command, type Launch, Missing, type Place, type Server } from "../lib/server.ts";

/** An app as an argument of the command, and variables for it. */
interface Named {
  readonly spec: string;
  readonly env?: { readonly [name: string]: string };
}

/** The app of each name in one of the four ways. */
type Specs = { readonly [App in AppName]?: (launch: Launch) => Named };

const spec =
  (file: string, name: string): ((launch: Launch) => Named) =>
  () => ({ spec: `${join(APPS, file)}:${name}` });

const program =
  (file: string, env: { readonly [name: string]: string }): (() => Named) =>
  () => ({ spec: join(APPS, file), env: { PORT: "1", ...env } });

const GATEWAY: Specs = {
  hello: ({ typescript }) => ({
    spec: `${join(APPS, `hello/gateway.${typescript ? "ts" : "mjs"}`)}:handler`,
  }),
  routes: spec("routes/gateway.mjs", "handler"),
  work: spec("work/gateway.mjs", "handler"),
};
const FETCH: Specs = {
  hello: spec("hello/fetch.mjs", "app"),
  routes: spec("routes/fetch.mjs", "app"),
  hono: spec("hono/app.mjs", "app"),
};
const LISTENER: Specs = {
  hello: spec("hello/listener.mjs", "listener"),
  routes: spec("routes/listener.mjs", "listener"),
  work: spec("work/listener.mjs", "listener"),
  express: spec("express/app.mjs", "app"),
  fastify: spec("fastify/app.mjs", "app"),
};
const ADOPTED: Specs = {
  hello: program("programs/node-http.mjs", { LISTENER: join(APPS, "hello/listener.mjs") }),
  routes: program("programs/node-http.mjs", { LISTENER: join(APPS, "routes/listener.mjs") }),
  hono: program("hono/server.mjs", { APP: join(APPS, "hono/app.mjs") }),
  express: program("express/server.mjs", {}),
  fastify: program("fastify/server.mjs", {}),
};

function command(root: string, { spec: app, env = {} }: Named, launch: Launch, place: Place): Command {
  const { address, folder, certificate } = place;
  const settings: string[] = [];
  if (launch.keepAlive !== undefined) settings.push("--keep-alive", `${launch.keepAlive}s`);
  if (launch.connections !== undefined) settings.push("--worker-connections", `${launch.connections}`);
  if (launch.accessLog !== undefined)
    settings.push("--access-logfile", join(folder, "access.log"), "--access-logformat", launch.accessLog);
  if (launch.proxyProtocol === true) settings.push("--proxy-protocol", "v2");
  if (certificate !== undefined)
    settings.push("--certfile", certificate.certificate, "--keyfile", certificate.key);
  if (launch.protocol === "h2" || launch.protocol === "h2c") settings.push("--http-protocols", "h1,h2");
  if (launch.metrics === false) settings.push("--no-metrics", "--no-record-dir");
  return {
    words: [
      launch.node ?? process.execPath,
      join(root, "dist/cli/main.js"),
      app,
      "--workers",
      `${launch.workers}`,
      "--bind",
      typeof address === "number" ? `127.0.0.1:${address}` : `unix:${address}`,
      "--control-socket",
      join(folder, "tsgun.ctl"),
      ...settings,
      ...(launch.settings ?? []),
    ],
    // The records of its workers' ends go away with the rest, not into the user's own folder.
    env: { ...env, XDG_STATE_HOME: folder },
  };
}

function tsgun(suffix: string, what: string, specs: Specs, folder?: string): Server {
  const root = folder === undefined ? ROOT : resolve(folder);
  return {
    name: `tsgun${suffix}${folder === undefined ? "" : `@${folder}`}`,
    what,
    servesAll: true,
    version() {
      if (!existsSync(join(root, "dist/cli/main.js")))
        throw new Missing(`${join(root, "dist")} is missing: npm run build`);
      return JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version;
    },
    command(launch, place) {
      const named = specs[launch.app]?.(launch);
      return named === undefined ? undefined : command(root, named, launch, place);
    },
  };
}

/** The servers of this folder's build, or of that in `folder`. */
export function tsgunServers(folder?: string): Server[] {
  return [
    tsgun("", "tsgun with a gateway app, or what the app is", { ...LISTENER, ...FETCH, ...GATEWAY }, folder),
    tsgun("-fetch", "tsgun with a fetch app", FETCH, folder),
    tsgun("-listener", "tsgun with an exported node listener", LISTENER, folder),
    tsgun("-adopted", "tsgun with a program that listens", ADOPTED, folder),
  ];
}
