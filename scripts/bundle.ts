/**
 * Bundles what tsc has compiled into `dist/`: a process loads three or four files instead of a hundred. The public
 * entries and the programs share the chunks, so a class or a symbol exists once in a process, however it is imported.
 * Declarations stay as tsc wrote them.
 *
 * Node loads a thread's program and the loader's hooks in a realm of their own, where nothing is shared, so each of
 * these is one file with all that it needs.
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type GetModuleInfo, type OutputChunk, rollup } from "rollup";
import { COMMONJS_PROGRAM } from "../src/ipc/programs.ts";

import { bundlePage, writePage } from "./page.ts";

const DIST = join(import.meta.dirname, "..", "dist");

/** Programs of processes, and what Node resolves by package.json. */
const ENTRIES = ["cli/main", "worker/main", "worker/preflight", ...exported()];

/** For tests of the built code. */
const TEST_ENTRIES = ["loader/load", "worker/compile-cache"];

/** Programs in realms of their own. */
const STANDALONE = [
  "worker/watchdog/thread",
  "loader/commonjs-facade",
  "loader/fresh-resolve",
  "loader/loading-hooks",
  "loader/typescript-thread",
];

/**
 * The modules that each process loads until it is ready, beside what these import: one chunk for each, and one for what both need.
 * Everything else is loaded late, in chunks of its own.
 */
const BOOT: { readonly [chunk: string]: readonly string[] } = {
  contract: ["index", "gateway/index", "gateway/fields", "gateway/statuses", "errors", "ipc/programs"],
  // The last two are for its late modules, which must not bring the worker's chunk.
  arbiter: ["cli/command", "arbiter/arbiter", "log/rate-limit", "loader/locate"],
  control: [
    "control/control-server",
    "control/death-routes",
    "control/inspection-routes",
    "control/late-load",
    "control/registry",
    "control/routes",
    "control/socket-path",
    "control/stats-routes",
    "arbiter/examination/examinations",
    "arbiter/records/death-facts",
    "records/record-folder",
  ],
  worker: [
    "worker/worker",
    "worker/interface-check",
    "loader/main-module",
    "server/engine/gateway-server",
    "server/start-line",
  ],
};

/** The modules of middleware. A process that needs none of it does not load it. */
const MIDDLEWARE =
  /[/\\]gateway[/\\](?:answer-head|app-parts|compose|derive|derive-respond|piece-queue|pieces|under)\.js$/;

/** Packages of which so little is used that it is included: a tenth of valibot, which each start would read in full. */
const INCLUDED: { readonly [name: string]: string } = {
  valibot: fileURLToPath(import.meta.resolve("valibot")),
};

/**
 * Has a chunk get Node's own modules by `require`. For an `import` Node copies all members of such a module, and reading
 * some of them loads more modules: 8 ms in an arbiter on Node 20.
 */
function requireBuiltins(code: string): string {
  const changed = code.replaceAll(
    /^import (?:([\w$]+)(?:, | ))?(?:(\{[^}]*\}) )?from '(node:[^']+)';$/gm,
    (_, whole: string | undefined, some: string | undefined, name: string) => {
      const required = `builtin$("${name}")`;
      const members = some?.replaceAll(" as ", ": ");
      if (whole === undefined) return `const ${members} = ${required};`;
      return `const ${whole} = ${required};${members === undefined ? "" : ` const ${members} = ${whole};`}`;
    },
  );
  if (changed === code) return code;
  const [, hashbang = "", rest = ""] = /^(#!.*\n)?([\s\S]*)$/.exec(changed) ?? [];
  return `${hashbang}import { createRequire as createBuiltin$ } from "node:module"; const builtin$ = createBuiltin$(import.meta.url);\n${rest}`;
}

/** The modules that `names` import for certain. */
function reach(names: readonly string[], getModuleInfo: GetModuleInfo): Set<string> {
  const reached = new Set(names.map(fileOf));
  for (const file of reached)
    for (const imported of getModuleInfo(file)?.importedIds ?? []) reached.add(imported);
  return reached;
}

function fileOf(name: string): string {
  return join(DIST, `${name}.js`);
}

function exported(): string[] {
  const file = join(DIST, "..", "package.json");
  const { exports } = JSON.parse(readFileSync(file, "utf8")) as {
    exports: { [name: string]: string | { default: string } };
  };
  return Object.values(exports).flatMap((target) =>
    typeof target === "string" ? [] : [target.default.replace(/^\.\/dist\/|\.js$/g, "")],
  );
}

/** The chunk of a module; undefined where its importers decide. */
function chunkOf(file: string, { getModuleInfo }: { getModuleInfo: GetModuleInfo }): string | undefined {
  if (MIDDLEWARE.test(file)) return "middleware";
  // Entries that import it, and that no process of the server loads.
  if (file === fileOf("index") || file === fileOf("gateway/index")) return undefined;
  reaches ??= Object.entries(BOOT).map(([chunk, names]) => [chunk, reach(names, getModuleInfo)]);
  const [first, ...others] = reaches.filter(([, files]) => files.has(file)).map(([chunk]) => chunk);
  if (first === "contract" || others.length === 0) return first;
  return others.join() === "control" ? first : "common";
}

let reaches: [chunk: string, files: Set<string>][] | undefined;

async function bundle(names: readonly string[], isStandalone: boolean): Promise<OutputChunk[]> {
  const build = await rollup({
    input: Object.fromEntries(names.map((name) => [name, fileOf(name)])),
    external: (id) => !id.startsWith(".") && !id.startsWith("/") && !(id in INCLUDED),
    plugins: [
      { name: "included", resolveId: (id) => INCLUDED[id] ?? null },
      { name: "required", renderChunk: requireBuiltins },
    ],
    // Includes only the used part of a package.
    treeshake: { moduleSideEffects: (id) => !Object.values(INCLUDED).includes(id) },
    preserveEntrySignatures: isStandalone ? "exports-only" : "strict",
    onwarn: (warning) => {
      // tsc's helper for `await import(name)` asks for a `this` that no module has.
      if (warning.code !== "THIS_IS_UNDEFINED") throw new Error(warning.message);
    },
  });
  const isCommonJs = names.includes(COMMONJS_PROGRAM);
  const { output } = await build.generate({
    format: isCommonJs ? "cjs" : "es",
    dynamicImportInCjs: false,
    entryFileNames: isCommonJs ? "[name].cjs" : "[name].js",
    chunkFileNames: "chunks/[name].js",
    hoistTransitiveImports: false,
    // A process may load a late chunk after the package was updated: a name must not mean something else by then.
    minifyInternalExports: false,
    ...(isStandalone ? { inlineDynamicImports: true } : { manualChunks: chunkOf }),
  });
  await build.close();
  return output.filter((file) => file.type === "chunk");
}

const page = await bundlePage();
const chunks = await bundle([...ENTRIES, ...TEST_ENTRIES], false);
for (const name of STANDALONE) chunks.push(...(await bundle([name], true)));
for (const name of readdirSync(DIST, { recursive: true, encoding: "utf8" })) {
  if (name.endsWith(".js")) rmSync(join(DIST, name));
}
for (const { fileName, code } of chunks) {
  const file = join(DIST, fileName);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, code);
}
writePage(page);
for (const [name, file] of Object.entries(INCLUDED))
  copyFileSync(join(dirname(file), "..", "LICENSE.md"), join(DIST, "chunks", `${name}.LICENSE.md`));
