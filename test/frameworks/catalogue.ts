/** The frameworks of the opt-in run: which file of each project to serve, and how its app is asked. */
import { type AppRequests, apolloRequests, trpcRequests, webRequests, yogaRequests } from "./requests.ts";

export interface Framework {
  readonly name: string;
  /** The folder of its project. Default: its name. */
  readonly project?: string;
  /** The program for `node`, from the project's folder. */
  readonly server: string;
  /** Undefined for those that speak WebSocket only. */
  readonly requests?: AppRequests;
  /** A line of the app's own shutdown. */
  readonly hook?: RegExp;
  readonly env?: NodeJS.ProcessEnv;
  /** The server speaks TLS. */
  readonly tls?: true;
}

const SERVER_HOOK = /shutdown hook of the server/;

export const FRAMEWORKS: readonly Framework[] = [
  {
    name: "next-standalone",
    server: ".next/standalone/server.js",
    requests: webRequests(/Next page (\d+)/),
    hook: /shutdown hook of Next/,
  },
  {
    name: "nest",
    server: "dist/main.js",
    requests: webRequests(/Nest page (\d+)/),
    hook: /shutdown hook of Nest: SIGTERM/,
  },
  {
    name: "sveltekit",
    server: "build/index.js",
    requests: webRequests(/SvelteKit page (\d+)/),
    hook: /shutdown hook of SvelteKit: SIGTERM/,
    // Its own limit is 512 KiB.
    env: { BODY_SIZE_LIMIT: "10M" },
  },
  {
    name: "nuxt",
    server: ".output/server/index.mjs",
    requests: webRequests(/Nuxt page (\d+)/),
    hook: /shutdown hook of Nitro/,
  },
  { name: "astro", server: "dist/server/entry.mjs", requests: webRequests(/Astro page (\d+)/) },
  { name: "socketio", server: "index.js", hook: /shutdown hook of Socket\.IO/ },
  {
    name: "react-router",
    server: "server.js",
    requests: webRequests(/React Router page (\d+)/),
    hook: SERVER_HOOK,
  },
  {
    name: "react-router-serve",
    project: "react-router",
    server: "serve.js",
    requests: webRequests(/React Router page (\d+)/),
  },
  { name: "apollo", server: "index.js", requests: apolloRequests, hook: /shutdown hook of Apollo/ },
  { name: "yoga", server: "server.js", requests: yogaRequests, hook: SERVER_HOOK },
  { name: "trpc", server: "server.js", requests: trpcRequests, hook: SERVER_HOOK },
  {
    name: "next-custom",
    server: "server.js",
    requests: webRequests(/Next page (\d+)/),
    hook: /shutdown hook of the custom server/,
    env: { NODE_ENV: "production" },
  },
  {
    name: "next-start",
    project: "next-custom",
    server: "start.js",
    requests: webRequests(/Next page (\d+)/),
    env: { NODE_ENV: "production" },
  },
  {
    name: "fastify",
    server: "server.js",
    requests: webRequests(/Fastify page (\d+)/),
    hook: /shutdown hook of Fastify/,
  },
  { name: "hono", server: "index.js", requests: webRequests(/Hono page (\d+)/), hook: SERVER_HOOK },
  { name: "koa", server: "app.js", requests: webRequests(/Koa page (\d+)/), hook: SERVER_HOOK },
  { name: "express", server: "app.js", requests: webRequests(/Express page (\d+)/), hook: SERVER_HOOK },
  { name: "http", server: "server.js", requests: webRequests(/raw page (\d+)/), hook: SERVER_HOOK },
  {
    name: "https",
    server: "server.js",
    requests: webRequests(/raw page (\d+)/),
    hook: SERVER_HOOK,
    tls: true,
  },
  { name: "ws", server: "server.js", hook: /shutdown hook of ws/ },
];
