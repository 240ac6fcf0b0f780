/**
 * The configuration file. Each read sees the file as it is at that moment. It is user code, loaded like the
 * app; every error becomes one line that names the file.
 */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import type { Layer } from "../config/config.ts";
import type { ConfigContext } from "../config/config-input.ts";
import { isFile } from "../config/config-source.ts";
import { HOOK_NAMES, type Hooks } from "../config/hooks.ts";
import { nearestName } from "../config/nearest-name.ts";
import { ExitCode, FatalError } from "../errors.ts";
import { describeDenial } from "./access-denial.ts";
import { importAnew } from "./import-anew.ts";
import type { ModuleNamespace } from "./import-module.ts";
import { jsonErrorLine } from "./json-error-line.ts";
import { displayed, type Location } from "./locate.ts";

/** Limit for what the file awaits, in milliseconds. */
const READ_TIMEOUT_MS = 60_000;

/** The content of a configuration file. */
export interface ConfigFileContent {
  /** Its settings, as written. */
  readonly layer: Layer;
  readonly hooks: Partial<Hooks>;
}

/** A configuration file as `--config` names it: a path, `file:PATH` or `module:NAME`. */
export class ConfigFile {
  /** Its name in messages. */
  readonly shown: string;
  readonly #location: Location;
  readonly #folder: string;

  /**
   * @param folder base of relative paths
   * @throws FatalError (usage) when there is no such file.
   */
  constructor(source: string, folder: string) {
    this.#location = locateConfig(source, folder);
    this.shown = this.#location.shown;
    this.#folder = folder;
  }

  /** A source that a process in another folder can resolve. */
  get source(): string {
    if (this.#location.kind === "file") return this.#location.file;
    try {
      return createRequire(join(this.#folder, "[app]")).resolve(this.#location.name);
    } catch {
      return `module:${this.#location.name}`;
    }
  }

  /**
   * Reads the current content.
   * @throws FatalError (usage) that names the file, and the line if known.
   */
  async read(context: ConfigContext): Promise<ConfigFileContent> {
    const content = await withTimeout(this.#content(context), this.shown);
    const values: { [name: string]: unknown } = {};
    const hooks: { [name: string]: unknown } = {};
    for (const [name, value] of await this.#members(content)) {
      if (value === undefined || name === "$schema") continue;
      if ((HOOK_NAMES as readonly string[]).includes(name)) hooks[name] = this.#hook(name, value);
      else values[name] = value;
    }
    return { layer: { values, origin: () => this.shown, isFile: true }, hooks };
  }

  #hook(name: string, value: unknown): unknown {
    if (typeof value === "function") return value;
    throw this.#error(`${name} is a hook and must be a function, not ${describe(value)}`);
  }

  async #content(context: ConfigContext): Promise<object> {
    if (this.#location.kind === "file" && this.#location.file.endsWith(".json"))
      return this.#requireObject(readJson(this.#location.file, this.shown), "it contains");
    const module = await this.#import();
    if (exportOf(module) === undefined)
      throw this.#error('it has no default export: write export default { app: "app.ts:handler" }');
    return this.#requireObject(await this.#evaluate(exportOf(module), context), "the default export is");
  }

  async #import(): Promise<ModuleNamespace> {
    try {
      return await importAnew(this.#location);
    } catch (error) {
      const { importFailure, isMissing } = await import("./failure.ts");
      if (this.#location.kind === "package" && isMissing(error, this.#location)) {
        const message = `cannot find the configuration module ${this.shown} from ${this.#folder}`;
        throw new FatalError(message, ExitCode.usage, { cause: error });
      }
      throw asUsage(await importFailure(error, this.#location, this.#folder));
    }
  }

  async #evaluate(exported: unknown, context: ConfigContext): Promise<unknown> {
    if (typeof exported !== "function") return exported;
    try {
      return await exported(context);
    } catch (error) {
      const { codeFailure } = await import("./failure.ts");
      throw asUsage(codeFailure(`the function of ${this.shown} failed`, error, this.#folder));
    }
  }

  /** The entries of the object. They may be getters, which can throw. */
  async #members(content: object): Promise<[string, unknown][]> {
    try {
      return Object.entries(content);
    } catch (error) {
      const { codeFailure } = await import("./failure.ts");
      throw asUsage(codeFailure(`${this.shown} cannot be read`, error, this.#folder));
    }
  }

  #requireObject(content: unknown, subject: string): object {
    if (typeof content === "object" && content !== null && !Array.isArray(content)) return content;
    throw this.#error(`${subject} ${describe(content)}: a configuration is an object with settings`);
  }

  #error(what: string): FatalError {
    return new FatalError(`${this.shown}: ${what}`, ExitCode.usage);
  }
}

function locateConfig(source: string, folder: string): Location {
  if (source.startsWith("module:")) {
    const name = source.slice("module:".length);
    return { kind: "package", name, from: folder, shown: name };
  }
  const file = resolve(folder, source.replace(/^file:(?:\/\/)?/, ""));
  const denial = describeDenial(file);
  if (denial !== undefined) throw new FatalError(denial, ExitCode.usage);
  if (isFile(file)) return { kind: "file", file, shown: displayed(file, folder) };
  const near = nearestName(basename(file), filesBeside(file));
  const hint = near === undefined ? "" : `; did you mean ${displayed(join(dirname(file), near), folder)}?`;
  throw new FatalError(
    `there is no configuration file ${displayed(file, folder)} in ${folder}${hint}`,
    ExitCode.usage,
  );
}

function filesBeside(file: string): string[] {
  try {
    return readdirSync(dirname(file));
  } catch {
    return [];
  }
}

function readJson(file: string, shown: string): unknown {
  // Some editors write a byte order mark.
  const text = readFileSync(file, "utf8").replace(/^\uFEFF/, "");
  try {
    return JSON.parse(text);
  } catch (cause) {
    const line = jsonErrorLine(text);
    const place = line === undefined ? shown : `${shown}:${line}`;
    const reason = (cause as Error).message.replaceAll(/\s+/g, " ");
    throw new FatalError(`syntax error in ${place}: ${reason}`, ExitCode.usage, { cause });
  }
}

/** `module.exports` arrives as the default export; transpiled ES modules keep their own `default` inside it. */
function exportOf(module: ModuleNamespace): unknown {
  const exported = module.default;
  if (typeof exported !== "object" || exported === null || !("__esModule" in exported)) return exported;
  return (exported as { default?: unknown }).default;
}

/** Every configuration error exits as a usage error, whatever exit code it would have in an app. */
function asUsage(error: FatalError): FatalError {
  return new FatalError(error.message, ExitCode.usage, { cause: error.cause });
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return Array.isArray(value) ? "an array" : `a ${typeof value}`;
}

async function withTimeout<T>(work: Promise<T>, shown: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    const message = `${shown} did not load within ${READ_TIMEOUT_MS / 1000}s: it awaits something that does not settle`;
    timer = setTimeout(() => reject(new FatalError(message, ExitCode.usage)), READ_TIMEOUT_MS);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
