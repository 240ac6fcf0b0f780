/**
 * Reads a command line of whole flags and their values, as nearly every start of a server has it. Anything else (help, a
 * short flag with its value attached, a mistake) is left to commander, which takes 10 ms to load and to learn all options.
 */
import { SETTING_NAMES, type Setting, type SettingName, settingLabel, settings } from "../config/settings.ts";

type Values = { [name: string]: unknown };

/** A flag of the table, and what it sets. */
interface Flag {
  readonly name: SettingName;
  /** Without one, the flag takes a value. */
  readonly value?: boolean;
  readonly isRepeatable: boolean;
  rewrite(written: string): string;
}

/** The values by setting, as `program.ts` has commander collect them; undefined where commander has to look. */
export function plainValues(words: readonly string[]): Values | undefined {
  const values: Values = {};
  const left = [...words];
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    if (!word.startsWith("-")) {
      if (values.app !== undefined) return undefined;
      values.app = word;
      continue;
    }
    const [, written = word, attached] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
    const flag = flagNamed(written);
    if (flag === undefined) return undefined;
    if (flag.value !== undefined) {
      if (attached !== undefined) return undefined;
      values[flag.name] = flag.value;
      continue;
    }
    const value = attached ?? left.shift();
    if (value === undefined || (attached === undefined && value.startsWith("-"))) return undefined;
    values[flag.name] = flag.isRepeatable ? collected(values[flag.name], flag.rewrite(value)) : value;
  }
  return values;
}

function collected(before: unknown, value: string): unknown[] {
  return Array.isArray(before) ? [...before, value] : [value];
}

const asWritten = (written: string): string => written;

function flagNamed(written: string): Flag | undefined {
  for (const name of SETTING_NAMES) {
    const { flags = [], kind, positional, negatable, variant } = settings[name] as Setting<unknown>;
    if (positional === true) continue;
    const isRepeatable = kind.repeatable === true;
    const label = settingLabel(name);
    if (written === `--${label}` || flags.includes(written))
      return { name, isRepeatable, rewrite: asWritten, ...(kind.bare === true && { value: true }) };
    if (negatable !== undefined && written === `--no-${label}`)
      return { name, isRepeatable, rewrite: asWritten, value: false };
    if (variant?.flag === written) return { name, isRepeatable, rewrite: variant.rewrite };
  }
  return undefined;
}
