/** A unit with its drop-ins, and typed access to its values: times, booleans, limits. */
import { existsSync, readdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { displayed } from "../../loader/locate.ts";
import { formatFileLine } from "./file-line.ts";
import { parseUnit, type UnitSetting } from "./systemd-syntax.ts";
import { readText } from "./text-file.ts";

/** Milliseconds per unit name of systemd.time(7). */
const UNITS: readonly [RegExp, number][] = [
  [/^(?:us|µs|usec)$/, 0.001],
  [/^(?:ms|msec)$/, 1],
  [/^(?:|s|sec|seconds?)$/, 1000],
  [/^(?:m|min|minutes?)$/, 60_000],
  [/^(?:h|hr|hours?)$/, 3_600_000],
  [/^(?:d|days?)$/, 86_400_000],
  [/^(?:w|weeks?)$/, 7 * 86_400_000],
];

/** Parses `90`, `1min 30s`, `500ms`, `infinity` to milliseconds; undefined if it is not a time. */
export function timeSpan(text: string): number | undefined {
  if (text === "infinity") return Number.POSITIVE_INFINITY;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)\s*([a-zµ]*)\s*/gi)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) return undefined;
  let sum = 0;
  for (const [, amount, unit] of parts) {
    const factor = UNITS.find(([names]) => names.test(unit as string))?.[1];
    if (factor === undefined) return undefined;
    sum += Number(amount) * factor;
  }
  return sum;
}

export class Unit {
  /** For example `shop.service`. */
  readonly name: string;
  readonly file: string;
  readonly #assignments: readonly UnitSetting[];

  constructor(file: string, assignments: readonly UnitSetting[]) {
    this.file = file;
    this.name = basename(file);
    this.#assignments = assignments;
  }

  /** Returns the values of a key after its last empty assignment, which resets it. */
  all(section: string, key: string): readonly UnitSetting[] {
    const all = this.#assignments.filter((entry) => entry.section === section && entry.key === key);
    return all.slice(all.findLastIndex(({ value }) => value === "") + 1);
  }

  /** Returns the last assignment, which takes effect. */
  get(section: string, key: string): UnitSetting | undefined {
    return this.all(section, key).at(-1);
  }

  /** Milliseconds. `fallback` is systemd's default. */
  time(section: string, key: string, fallback: number): number {
    const value = this.get(section, key)?.value;
    return value === undefined ? fallback : (timeSpan(value) ?? fallback);
  }

  yes(section: string, key: string): boolean {
    return /^(?:yes|y|true|t|on|1)$/i.test(this.get(section, key)?.value ?? "");
  }

  /** Returns `file:line` of the first of `keys` that is set, or the file if none is. */
  where(section: string, ...keys: readonly string[]): string {
    const found = keys.map((key) => this.get(section, key)).find((entry) => entry !== undefined);
    return found === undefined ? this.file : formatFileLine(found.place);
  }

  get type(): string {
    return this.get("Service", "Type")?.value ?? "simple";
  }

  /** The command without systemd's prefix characters. */
  get command(): string {
    return (this.get("Service", "ExecStart")?.value ?? "").replace(/^[-@:+!|]+/, "");
  }

  /** Whether the command appears to start tsgun, directly or through a wrapper. */
  get isTsgun(): boolean {
    return /(?:^|[\s/"'])tsgun(?:["']|\s|$|\/dist\/)/.test(this.command);
  }
}

/**
 * Reads a unit and its drop-ins, `NAME.d/*.conf` beside it.
 * @throws FatalError (usage) that names the file and, for a syntax error, the line.
 */
export function readUnit(path: string): Unit {
  const folder = `${path}.d`;
  const dropIns = existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith(".conf"))
        .sort()
        .map((name) => join(folder, name))
    : [];
  const shown = (file: string): string => displayed(resolve(file), process.cwd());
  const assignments = [path, ...dropIns].flatMap((file) => parseUnit(readText(file), shown(file)));
  return new Unit(shown(path), assignments);
}
