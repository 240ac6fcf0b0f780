/**
 * Finds the app among the exports of its module. Node puts all CommonJS exports under `default`, and those that it
 * detects statically beside it. We search both, so that users need not know the difference.
 */
import { nearestName } from "../config/nearest-name.ts";
import { ExitCode, FatalError } from "../errors.ts";
import type { ModuleNamespace } from "./import-module.ts";
import { type AppSpec, DEFAULT_NAMES } from "./spec.ts";

/** The exports are no app. It is no failure yet if the module makes a server listen instead. */
export class NoApp extends FatalError {
  constructor(message: string) {
    super(message, ExitCode.appLoad);
  }
}

/** An exported value and the object that holds it (the `this` of a call). */
export interface Found {
  readonly name: string;
  readonly value: unknown;
  readonly owner: unknown;
}

/** Names listed in an error message. */
const MAX_LISTED_NAMES = 12;

/**
 * Follows the path of `spec` into `module`, or tries the default names. Throws `FatalError`
 * (`ExitCode.appLoad`) that says what is exported instead.
 */
export function findExport(module: ModuleNamespace, spec: AppSpec, shown: string): Found {
  const exported = exportsOf(module);
  return spec.path === undefined ? byDefault(exported, spec, shown) : byPath(exported, spec.path, shown);
}

function byDefault(exported: Map<string, unknown>, spec: AppSpec, shown: string): Found {
  for (const name of DEFAULT_NAMES) {
    const value = exported.get(name);
    if (value !== undefined) return { name, value, owner: undefined };
  }
  const [first] = exported.keys();
  const example = first === undefined ? "" : ` (name one: ${spec.module}:${first})`;
  throw new NoApp(
    `${shown} exports none of ${DEFAULT_NAMES.join(", ")}; ${listed("it exports", exported.keys())}${example}`,
  );
}

function byPath(exported: Map<string, unknown>, path: readonly string[], shown: string): Found {
  const [first = "", ...rest] = path;
  let value = exported.get(first);
  if (value === undefined) {
    throw exported.has(first)
      ? new FatalError(`${first} of ${shown} is undefined`, ExitCode.appLoad)
      : missing(`${shown} exports no`, first, "it exports", exported.keys());
  }
  let owner: unknown;
  let name = first;
  for (const property of rest) {
    owner = value;
    value = (owner as Record<string, unknown> | null)?.[property];
    if (value === undefined)
      throw missing(`${name} of ${shown} has no`, property, "it has", propertiesOf(owner));
    name = `${name}.${property}`;
  }
  return { name, value, owner };
}

/** Every exported name with its value. */
function exportsOf(module: ModuleNamespace): Map<string, unknown> {
  const exported = new Map<string, unknown>();
  const own = Object.keys(module).filter((name) => name !== "module.exports" && name !== "__esModule");
  for (const name of own) exported.set(name, module[name]);
  const inner = module.default;
  if (isTranspiled(inner)) exported.delete("default");
  if (!isTranspiled(inner) && !isContainer(inner)) return exported;
  // A CommonJS module without exports has an empty `module.exports`.
  if (Object.keys(inner).length === 0) exported.delete("default");
  for (const name of Object.keys(inner)) {
    if (exported.get(name) === undefined) exported.set(name, inner[name]);
  }
  return exported;
}

/** Whether this is `module.exports` of a transpiled ES module: its default export is one level down. */
function isTranspiled(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === "object" && value !== null && (value as { __esModule?: unknown }).__esModule === true
  );
}

/** Whether this is a plain object of exports, such as `module.exports = { handler }`, and not an app itself. */
function isContainer(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  return !["handle", "fetch"].some(
    (method) => typeof (value as Record<string, unknown>)[method] === "function",
  );
}

function missing(what: string, name: string, has: string, names: Iterable<string>): FatalError {
  const all = [...names];
  const nearest = nearestName(name, all);
  const meant = nearest === undefined ? "" : `did you mean ${JSON.stringify(nearest)}? `;
  return new FatalError(`${what} ${JSON.stringify(name)}; ${meant}${listed(has, all)}`, ExitCode.appLoad);
}

function listed(verb: string, names: Iterable<string>): string {
  const all = [...names];
  if (all.length === 0) return `${verb} nothing`;
  const more = all.length > MAX_LISTED_NAMES ? ` and ${all.length - MAX_LISTED_NAMES} more` : "";
  return `${verb} ${all.slice(0, MAX_LISTED_NAMES).join(", ")}${more}`;
}

function propertiesOf(value: unknown): string[] {
  return typeof value === "object" && value !== null ? Object.keys(value) : [];
}
