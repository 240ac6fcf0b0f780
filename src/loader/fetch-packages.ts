/**
 * Packages whose modules keep or extend the global `Request` when they are loaded: frameworks and adapters built on
 * fetch. A process that loads one prepares the global beforehand, see `interop/request-globals.ts`.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const FETCH_PACKAGES =
  /^(?:astro|better-auth|elysia|h3|hono|itty-router|next|nitro(?:pack)?|nuxt|srvx|undici|@(?:analogjs|hono|mswjs|nuxt|qwik\.dev|react-router|remix-run|solidjs|sveltejs|tanstack|trpc|vinxi|whatwg-node)\/.*)$/;

/** Whether a project may load such a package: its package.json, the nearest one, names one. Without one it may. */
export function mayKeepRequest(folder: string): boolean {
  let text: string;
  try {
    text = readFileSync(join(folder, "package.json"), "utf8");
  } catch {
    const parent = dirname(folder);
    return parent === folder || mayKeepRequest(parent);
  }
  try {
    const { dependencies, devDependencies, optionalDependencies, peerDependencies } = JSON.parse(text);
    // A bundler's input is a development dependency.
    const all = { ...dependencies, ...devDependencies, ...optionalDependencies, ...peerDependencies };
    return Object.keys(all).some((name) => FETCH_PACKAGES.test(name));
  } catch {
    return true;
  }
}
