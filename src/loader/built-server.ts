/**
 * Frameworks whose build makes the server: which built file to serve, for an error about a spec that names a folder or
 * another file. Loaded only after no app was found, so it costs a server nothing.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { displayed } from "./locate.ts";

interface BuildingFramework {
  /** The package that a project of it depends on. */
  readonly dependency: string;
  readonly name: string;
  /** Where its build, or a custom server, is found, from the project's folder. */
  readonly servers: readonly string[];
  /** The steps that make the server where there is none yet. */
  readonly build: string;
}

/** The first that a project depends on is what it is: Nuxt brings Nitro, for example. */
const FRAMEWORKS: readonly BuildingFramework[] = [
  {
    dependency: "next",
    name: "Next.js",
    servers: [".next/standalone/server.js", "server.js"],
    build: 'set output: "standalone" in next.config, run next build, then serve .next/standalone/server.js',
  },
  ...["nuxt", "nitropack", "nitro"].map((dependency) => ({
    dependency,
    name: dependency === "nuxt" ? "Nuxt" : "Nitro",
    servers: [".output/server/index.mjs"],
    build: `run ${dependency === "nuxt" ? "nuxt" : "nitro"} build, then serve .output/server/index.mjs`,
  })),
  {
    dependency: "@sveltejs/kit",
    name: "SvelteKit",
    servers: ["build/index.js"],
    build: "use @sveltejs/adapter-node, run vite build, then serve build/index.js",
  },
  {
    dependency: "astro",
    name: "Astro",
    servers: ["dist/server/entry.mjs"],
    build: "use @astrojs/node with mode standalone, run astro build, then serve dist/server/entry.mjs",
  },
  {
    dependency: "@nestjs/core",
    name: "Nest",
    servers: ["dist/main.js", "dist/src/main.js"],
    build: "run nest build, then serve dist/main.js",
  },
  {
    dependency: "@react-router/dev",
    name: "React Router",
    servers: ["server.js", "server.mjs"],
    build: "its build is no server, so write a server.js around it, as docs/frameworks.md shows",
  },
];

/** How many folders above the named one to search for the project's package.json. */
const MAX_LEVELS = 3;

/**
 * Returns the advice, as the rest of a message: `; this is a Nuxt project: serve .output/server/index.mjs`. Empty where
 * there is none.
 *
 * @param path the folder or file that was named
 */
export function builtServerHint(path: string, cwd: string): string {
  let folder = path;
  for (let level = 0; level <= MAX_LEVELS; level += 1, folder = dirname(folder)) {
    const framework = frameworkIn(folder);
    if (framework === undefined) continue;
    const servers = framework.servers.map((server) => join(folder, server));
    const built = servers.find((server) => existsSync(server));
    if (built === path) return "";
    const advice = built === undefined ? framework.build : `serve ${displayed(built, cwd)}`;
    const article = framework.name === "Astro" ? "an" : "a";
    return `; this is ${article} ${framework.name} project: ${advice}`;
  }
  return "";
}

/** Whether this package is the framework itself: `tsgun next` would call what it exports for each request. */
export function isFramework(name: string): boolean {
  return FRAMEWORKS.some(({ dependency }) => dependency === name);
}

function frameworkIn(folder: string): BuildingFramework | undefined {
  let names: Readonly<Record<string, unknown>>;
  try {
    const { dependencies, devDependencies } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    names = { ...dependencies, ...devDependencies };
  } catch {
    // There is none, or it is no JSON.
    return undefined;
  }
  return FRAMEWORKS.find(({ dependency }) => Object.hasOwn(names, dependency));
}
