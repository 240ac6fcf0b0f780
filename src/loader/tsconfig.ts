/**
 * The compiler options of a file's project: those of the nearest tsconfig.json and of what it extends. Read once per
 * process, as the compilers do. A file that cannot be read has no options: the compiler or the editor reports it.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { isFile } from "./locate.ts";

/** The options that change how a file runs. */
export interface CompilerOptions {
  readonly module?: string;
  readonly target?: string;
  readonly esModuleInterop?: boolean;
  readonly experimentalDecorators?: boolean;
  readonly emitDecoratorMetadata?: boolean;
  readonly useDefineForClassFields?: boolean;
  readonly verbatimModuleSyntax?: boolean;
  readonly jsx?: string;
  readonly jsxFactory?: string;
  readonly jsxFragmentFactory?: string;
  readonly jsxImportSource?: string;
  /** Absolute. */
  readonly baseUrl?: string;
  /** Absolute targets. */
  readonly paths?: { readonly [pattern: string]: readonly string[] };
}

export interface Project {
  readonly options: CompilerOptions;
  /** The major version of the project's own compiler, whose defaults differ; undefined without one. */
  readonly typescript: number | undefined;
}

const NONE: Project = { options: {}, typescript: undefined };
const projects = new Map<string, Project>();

/** The project of the files in `folder`. */
export function projectOf(folder: string): Project {
  const known = projects.get(folder);
  if (known !== undefined) return known;
  const named = process.env.TS_NODE_PROJECT || process.env.OXC_TSCONFIG_PATH;
  const config = named ? resolve(named) : join(folder, "tsconfig.json");
  const parent = dirname(folder);
  let project = NONE;
  if (isFile(config)) project = { options: optionsIn(config, new Set()), typescript: majorOf(config) };
  else if (!named && parent !== folder) project = projectOf(parent);
  projects.set(folder, project);
  return project;
}

function optionsIn(config: string, seen: Set<string>, root = dirname(config)): CompilerOptions {
  if (seen.has(config)) return {};
  seen.add(config);
  const content = readJson(config);
  const bases = [content.extends ?? []].flat().flatMap((name) => extended(String(name), config) ?? []);
  const inherited = bases.map((base) => optionsIn(base, seen, root));
  return Object.assign({}, ...inherited, placed(content.compilerOptions ?? {}, dirname(config), root));
}

/** Stands for the folder of the configuration that extends the others. */
const ROOT_FOLDER = /^\$\{configDir\}/;

/** Makes the paths of `options` absolute: they count from the file that has them. */
function placed(options: CompilerOptions, folder: string, root: string): CompilerOptions {
  const { baseUrl, paths } = options;
  const at = (from: string, path: string): string => resolve(from, path.replace(ROOT_FOLDER, root));
  const base = at(folder, baseUrl ?? ".");
  const targets = Object.entries(paths ?? {}).map(([pattern, list]) => [
    pattern,
    list.map((target) => at(base, target)),
  ]);
  return {
    ...options,
    ...(baseUrl !== undefined && { baseUrl: base }),
    ...(paths && { paths: Object.fromEntries(targets) }),
  };
}

function extended(name: string, config: string): string | undefined {
  const folder = dirname(config);
  if (/^\.{1,2}(?:\/|$)/.test(name) || isAbsolute(name)) {
    const path = resolve(folder, name);
    return [path, `${path}.json`, join(path, "tsconfig.json")].find(isFile);
  }
  const { resolve: find } = createRequire(config);
  for (const candidate of [name, `${name}.json`, `${name}/tsconfig.json`]) {
    try {
      const found = find(candidate);
      if (found.endsWith(".json")) return found;
    } catch {
      // The next form.
    }
  }
  return undefined;
}

function majorOf(config: string): number | undefined {
  try {
    const { version } = readJson(createRequire(config).resolve("typescript/package.json"));
    return Number.parseInt(version ?? "", 10) || undefined;
  } catch {
    return undefined;
  }
}

interface Json {
  readonly extends?: string | readonly string[];
  readonly compilerOptions?: CompilerOptions;
  readonly version?: string;
}

const COMMENT = /("(?:\\.|[^"\\])*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
const TRAILING_COMMA = /("(?:\\.|[^"\\])*")|,(?=\s*[}\]])/g;

/** JSON with comments and trailing commas. */
function readJson(file: string): Json {
  try {
    const text = readFileSync(file, "utf8").replace(/^\uFEFF/, "");
    const bare = text.replace(COMMENT, (_, string) => string ?? "");
    return JSON.parse(bare.replace(TRAILING_COMMA, (_, string) => string ?? "")) ?? {};
  } catch {
    return {};
  }
}
