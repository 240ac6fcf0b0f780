/**
 * Load hook for imports of TypeScript that is CommonJS. An ES module of its name requires it, so that `import` and
 * `require` get the same instance, from `require.cache`. This file runs inside Node's loader, possibly in its thread.
 */
import { readFileSync } from "node:fs";
import type { LoadFnOutput, LoadHook, LoadHookContext } from "node:module";
import { fileURLToPath } from "node:url";
import { commonJsOf, compileModule, withMap } from "./commonjs-compiler.ts";
import { isOfPackage } from "./module-format.ts";
import { isTypeScript } from "./typescript.ts";
import { sourceOf } from "./typescript-resolve.ts";

/** The hook for `module.register`. */
export const load: LoadHook = async (url, context, nextLoad) => facade(url) ?? (await nextLoad(url, context));

/** The hook for `module.registerHooks`, which sees `require` as well. */
export function loadSync(
  url: string,
  context: LoadHookContext,
  nextLoad: (url: string, context: LoadHookContext) => LoadFnOutput,
): LoadFnOutput {
  const isRequire = context.importAttributes === undefined;
  return (isRequire ? undefined : facade(url)) ?? nextLoad(url, context);
}

function facade(url: string): LoadFnOutput | undefined {
  const file = fileOf(url);
  if (file === undefined) return undefined;
  const compiled = commonJsOf(file);
  if (compiled === undefined) return requiringModule(file);
  const names = [...new Set(namesOf(compiled.source, file, new Set()))].filter((name) => name !== "default");
  const lines = [
    'import { createRequire } from "node:module";',
    `const exported = createRequire(import.meta.url)(${JSON.stringify(file)});`,
    "export default exported;",
    'export { exported as "module.exports" };',
    ...names.map((name, index) => `const $${index} = exported[${JSON.stringify(name)}];`),
    ...names.map((name, index) => `export { $${index} as ${JSON.stringify(name)} };`),
  ];
  return { format: "module", source: lines.join("\n"), shortCircuit: true };
}

const IMPORT_REQUIRE = /^\s*(?:export\s+)?import\s+(?!type\b)[\w$]+\s*=\s*require\b/m;

/** An ES module with `import x = require()`, which tsc compiles to a `createRequire` and the other compiler refuses. */
function requiringModule(file: string): LoadFnOutput | undefined {
  if (isOfPackage(file)) return undefined;
  const source = readFileSync(file, "utf8");
  if (!IMPORT_REQUIRE.test(source)) return undefined;
  return { format: "module", source: withMap(compileModule(file, source)), shortCircuit: true };
}

/** The file of a URL; undefined where it is no TypeScript file, or has a mark: a configuration is an ES module. */
function fileOf(url: string): string | undefined {
  if (!url.startsWith("file:") || url.includes("?")) return undefined;
  const file = fileURLToPath(url);
  return isTypeScript(file) ? file : undefined;
}

/** How the compiler defines exports, and how people write them: by `exports.name =` and `module.exports = { name }`. */
const EXPORTED =
  /^Object\.defineProperty\(exports, "([^"]+)"|^(?:module\.)?exports\.([\w$]+) = |^ {4}get (?:"([^"]+)"|([\w$]+)) \(\) \{$/gm;
const OBJECT = /^module\.exports = \{([^}]*)\}/m;
const STAR = /^_export_star\(require\("([^"]+)"\), exports\);$/gm;

/** The names that compiled CommonJS exports, as far as they show in its text; Node looks no further either. */
function* namesOf(code: string, file: string, seen: Set<string>): Generator<string> {
  if (seen.has(file)) return;
  seen.add(file);
  const names = new Set<string>();
  for (const [, ...found] of code.matchAll(EXPORTED))
    names.add(found.find((name) => name !== undefined) ?? "");
  for (const member of OBJECT.exec(code)?.[1]?.split(",") ?? []) {
    const name = /^\s*([\w$]+)\s*(?::|$)/.exec(member)?.[1];
    if (name !== undefined) names.add(name);
  }
  yield* names;
  for (const [, specifier = ""] of code.matchAll(STAR)) {
    const source = sourceOf(specifier, file);
    const compiled = source === undefined ? undefined : commonJsOf(source);
    if (source !== undefined && compiled !== undefined) yield* namesOf(compiled.source, source, seen);
  }
}
