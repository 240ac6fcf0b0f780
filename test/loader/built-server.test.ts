/** The hint for those who name a framework's project, or another file of it, instead of the server that it builds. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { ExitCode } from "../../src/errors.ts";
import { loadApp } from "../../src/loader/load.ts";
import { temporaryFolder } from "../support/command.ts";

const CASES: [app: string, dependency: string, files: string[], advice: RegExp][] = [
  [
    ".output",
    "nuxt",
    [".output/server/index.mjs"],
    /; this is a Nuxt project: serve \.output\/server\/index\.mjs$/,
  ],
  [
    ".output/public",
    "nitro",
    [],
    /; this is a Nitro project: run nitro build, then serve \.output\/server\/index\.mjs$/,
  ],
  [
    ".",
    "astro",
    [],
    /; this is an Astro project: use @astrojs\/node with mode standalone, run astro build, then serve /,
  ],
  [".next/standalone", "next", [".next/standalone/server.js"], /: serve \.next\/standalone\/server\.js$/],
  [
    "next",
    "next",
    [],
    /^next is a framework, not an app; this is a Next\.js project: set output: "standalone"/,
  ],
  ["next", "express", [], /^next is a framework, not an app$/],
  ["dist", "@nestjs/core", ["dist/main.js"], /; this is a Nest project: serve dist\/main\.js$/],
  ["build/index.js", "@sveltejs/kit", ["build/index.js"], /an app has a method handle \(gateway\) or fetch$/],
  [
    "build/server/index.js",
    "@react-router/dev",
    ["build/server/index.js"],
    /; this is a React Router project: its build is no server, so write a server\.js around it/,
  ],
  ["app", "express", [], /^cannot find the app module "app": looked for .* then for a package "app"$/],
];

for (const [app, dependency, files, advice] of CASES) {
  test(`${app} of a project with ${dependency}`, async (context) => {
    const cwd = temporaryFolder(context);
    writeFileSync(join(cwd, "package.json"), JSON.stringify({ dependencies: { [dependency]: "1.0.0" } }));
    for (const file of files) {
      mkdirSync(join(cwd, dirname(file)), { recursive: true });
      writeFileSync(
        join(cwd, file),
        file.endsWith(".mjs") ? "export const routes = {};\n" : "exports.routes = {};\n",
      );
    }
    await assert.rejects(loadApp(app, { cwd }), (error: Error & { exitCode?: number }) => {
      assert.match(error.message, advice);
      assert.equal(error.exitCode, ExitCode.appLoad);
      return true;
    });
  });
}
