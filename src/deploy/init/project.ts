/** Inspects a project: package.json, the app, the package manager. None of the project's code runs. */
import { existsSync, readFileSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { ExitCode, FatalError } from "../../errors.ts";
import { displayed, isFile, locate } from "../../loader/locate.ts";
import { DEFAULT_NAMES, EXPORTING, parseAppSpec } from "../../loader/spec.ts";
import { isTypeScript } from "../../loader/typescript.ts";
import { callsListen, exportedNames } from "./exported-names.ts";

export type PackageManager = "npm" | "pnpm" | "yarn";

/** The fields of package.json that init reads. */
interface Manifest {
  readonly name?: string;
  readonly main?: string;
  readonly scripts?: { readonly [name: string]: string };
  readonly dependencies?: { readonly [name: string]: string };
}

export interface Project {
  /** Valid for a unit, an upstream, an image and a Kubernetes object: `a-z`, `0-9` and `-`, starting with a letter. */
  readonly name: string;
  /** The app spec, as on tsgun's command line. */
  readonly app: string;
  /** The project uses TypeScript. */
  readonly typescript: boolean;
  readonly packageManager: PackageManager;
  /** Name of the lockfile, if there is one. */
  readonly lockfile: string | undefined;
  /** The script `build` generates the app's file. */
  readonly built: boolean;
  /** Advice for the operator, one line each. */
  readonly notes: readonly string[];
}

/** Usual paths of an app, tried after those that package.json names. */
const USUAL_PATHS = ["app", "server", "index", "main"].flatMap((name) => [name, `src/${name}`]);
/** Includes `server`, a common name for an http.Server. */
const EXPORT_NAMES = [...DEFAULT_NAMES, "server"];
const RUNNERS = /(?:^|[\s;&])(?:node|nodemon|tsx|ts-node|bun|deno run)\s+(?:-\S+\s+|watch\s+)*([\w./-]+)/;
const LOCKFILES: readonly [string, PackageManager][] = [
  ["package-lock.json", "npm"],
  ["npm-shrinkwrap.json", "npm"],
  ["pnpm-lock.yaml", "pnpm"],
  ["yarn.lock", "yarn"],
];

/**
 * Inspects the project in `folder`.
 * @param app the app spec from the command line or the configuration, if set
 * @throws FatalError (usage) when package.json cannot be read or no app is found; the message says what to do.
 */
export function readProject(folder: string, app?: string): Project {
  const manifest = readManifest(folder);
  const found = app === undefined ? findApp(folder, manifest) : namedApp(app, folder);
  const [lockfile, packageManager = "npm"] = LOCKFILES.find(([name]) => existsSync(join(folder, name))) ?? [];
  const source = found.file === undefined ? "" : readFileSync(join(folder, found.file), "utf8");
  return {
    name: projectName(manifest.name ?? basename(folder)),
    app: found.spec,
    typescript: isTypeScript(found.file ?? "") || existsSync(join(folder, "tsconfig.json")),
    packageManager,
    lockfile,
    built: manifest.scripts?.build !== undefined && /^(?:\.\/)?(?:dist|build|out|lib)\//.test(found.spec),
    notes: [
      ...(callsListen(source)
        ? [`${found.file} calls listen(): remove the call, because tsgun listens`]
        : []),
      ...(manifest.dependencies?.tsgun === undefined && manifest.name !== "tsgun"
        ? ["tsgun is not among the dependencies in package.json: npm install tsgun"]
        : []),
    ],
  };
}

/** `@shop/Web API` → `web-api`. */
export function projectName(text: string): string {
  const name = text
    .replace(/^@[^/]*\//, "")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^[^a-z]+|-+$/g, "")
    .slice(0, 40)
    .replace(/-+$/, "");
  return name === "" ? "app" : name;
}

/** Reads the folder's package.json, or returns {} if there is none. @throws FatalError (usage) when it cannot be read */
export function readManifest(folder: string): Manifest {
  const file = join(folder, "package.json");
  if (!existsSync(file)) return {};
  try {
    const manifest: unknown = JSON.parse(readFileSync(file, "utf8"));
    return typeof manifest === "object" && manifest !== null ? manifest : {};
  } catch (cause) {
    const reason = (cause as Error).message.replaceAll(/\s+/g, " ");
    throw new FatalError(`cannot read package.json in ${folder}: ${reason}`, ExitCode.usage, { cause });
  }
}

interface FoundApp {
  readonly spec: string;
  /** Relative path; undefined for an app from a package. */
  readonly file: string | undefined;
}

function namedApp(text: string, folder: string): FoundApp {
  const { module } = parseAppSpec(text);
  const location = locate(module, folder);
  return { spec: text, file: location.kind === "file" ? displayed(location.file, folder) : undefined };
}

/** Finds the first candidate file that exports an app. */
function findApp(folder: string, manifest: Manifest): FoundApp {
  const files = candidates(folder, manifest);
  for (const file of files) {
    const names = exportedNames(readFileSync(join(folder, file), "utf8"));
    const name = EXPORT_NAMES.find((candidate) => names.has(candidate));
    if (name !== undefined) return { spec: name === "default" ? file : `${file}:${name}`, file };
  }
  const [first] = files;
  const reason =
    first === undefined
      ? `there is no app in ${folder}: tried the files that package.json starts, and ${USUAL_PATHS.join(", ")}`
      : `${first} exports no app: export it (${EXPORTING}), without its listen() call`;
  throw new FatalError(`${reason}; or name it: tsgun init --app server.ts:app`, ExitCode.usage);
}

/** Returns the existing candidates relative to `folder`: `main`, the files that scripts start, the usual names. */
function candidates(folder: string, { main, scripts = {} }: Manifest): string[] {
  const started = [scripts.start, scripts.dev].map((script) => RUNNERS.exec(script ?? "")?.[1]);
  const places = [main, ...started, ...USUAL_PATHS].filter((place) => place !== undefined);
  const files = places.flatMap((place) => {
    const file = located(place, folder);
    return file === undefined || !/^\.[mc]?[jt]s$/.test(extname(file)) ? [] : [file];
  });
  return [...new Set(files)];
}

function located(place: string, folder: string): string | undefined {
  try {
    const location = locate(place, folder);
    if (location.kind !== "file" || !isFile(location.file)) return undefined;
    const file = displayed(location.file, folder);
    return file.startsWith("/") ? undefined : file;
  } catch {
    return undefined;
  }
}
