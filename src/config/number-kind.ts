/** Kinds of numbers: counts, durations, sizes. */
import * as v from "valibot";
import { displayValue, invalidMessage, type Kind, kind, transformWith } from "./kind.ts";

/** A non-negative number, or text that matches `form`. */
function numberOrText(form: RegExp, wrong: string): v.GenericSchema<number | string> {
  const message = invalidMessage(wrong);
  return v.union(
    [v.pipe(v.number(message), v.minValue(0, message)), v.pipe(v.string(message), v.regex(form, message))],
    message,
  );
}

const NOT_WHOLE = invalidMessage("is not a whole number");
const NOT_WHOLE_NOR_AUTO = invalidMessage("is neither a whole number nor auto");

function whole(min: number, max: number): v.GenericSchema<number> {
  return v.pipe(
    v.number(NOT_WHOLE),
    v.integer(NOT_WHOLE),
    v.minValue(min, ({ input }) => `${input} is too small: at least ${min}`),
    v.maxValue(max, ({ input }) => `${input} is too large: at most ${max}`),
  );
}

function parseDigits(text: string): unknown {
  return /^\d{1,15}$/.test(text.trim()) ? Number(text) : text;
}

/** A whole number within bounds. */
export function count(min: number, max: number = Number.MAX_SAFE_INTEGER): Kind<number> {
  return kind({ placeholder: "INT", schema: whole(min, max), fromText: parseDigits });
}

/** A whole number within bounds, or the word `auto`. */
export function countOrAuto(min: number, max: number): Kind<number | "auto"> {
  return kind<number | "auto", number | "auto">({
    placeholder: "INT|auto",
    schema: v.union([v.literal("auto"), whole(min, max)], NOT_WHOLE_NOR_AUTO),
    fromText: (text) => (text.trim().toLowerCase() === "auto" ? "auto" : parseDigits(text)),
  });
}

const DURATION = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h)?\s*$/;
const DURATION_UNITS: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Timers are limited to 2^31 - 1 milliseconds (24.8 days). Half an hour less leaves room for time added to a setting. */
const MAX_DURATION_MS = 596 * 3_600_000;

/** Parses a duration to milliseconds. `minimumFor` returns the minimum if the value is too short, otherwise undefined. */
function milliseconds(written: number | string, minimumFor: (value: number) => string | undefined): number {
  const [, amount, unit = "s"] = DURATION.exec(String(written)) ?? [];
  const value = Math.round(Number(amount) * (DURATION_UNITS[unit] as number));
  const minimum = minimumFor(value);
  if (minimum !== undefined) throw new Error(`${displayValue(written)} is too short: at least ${minimum}`);
  // Also rejects NaN, from a number whose text has an exponent.
  if (!(value <= MAX_DURATION_MS)) throw new Error(`${displayValue(written)} is too long: at most 596h`);
  return value;
}

function timeSpan(minimumFor: (value: number) => string | undefined): Kind<number, number | string> {
  return kind({
    placeholder: "SECONDS",
    schema: v.pipe(
      numberOrText(DURATION, "is not a duration: write 30, 1.5, 500ms, 30s or 1m"),
      transformWith((written) => milliseconds(written, minimumFor)),
    ),
    format: formatDuration,
  });
}

/** A duration in milliseconds, written `30`, `1.5`, `500ms`, `30s`, `1m` or `1h`; plain numbers are seconds. */
export function duration(min = 0): Kind<number, number | string> {
  return timeSpan((value) => (value < min ? formatDuration(min) : undefined));
}

/** A duration of at least `min` milliseconds, or 0 for none. */
export function durationOrNone(min: number): Kind<number, number | string> {
  return timeSpan((value) => (value > 0 && value < min ? `${formatDuration(min)}, or 0` : undefined));
}

/** Formats milliseconds as a duration: `30s`, `500ms`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0";
  return ms >= 1000 ? `${ms / 1000}s` : `${ms}ms`;
}

/** A number of worker deaths within a number of milliseconds. */
export interface CrashLimit {
  readonly deaths: number;
  readonly within: number;
}

const CRASH_LIMIT = /^\s*(?:0|([1-9]\d{0,5})\/(.+?))\s*$/;
const NO_CRASH_LIMIT = invalidMessage("is not a crash limit: write 5/60s, or 0");

/** A number of crashes and a duration, written `5/60s`; 0 means no limit. */
export const crashLimit: Kind<CrashLimit | undefined, string> = kind({
  placeholder: "N/SECONDS",
  schema: v.pipe(
    v.string(NO_CRASH_LIMIT),
    v.regex(CRASH_LIMIT, NO_CRASH_LIMIT),
    transformWith((written): CrashLimit | undefined => {
      const [, deaths, within] = CRASH_LIMIT.exec(written) ?? [];
      return deaths === undefined ? undefined : { deaths: Number(deaths), within: duration(1).parse(within) };
    }),
  ),
  format: (value) => (value === undefined ? "0" : `${value.deaths}/${formatDuration(value.within)}`),
});

const SIZE = /^\s*(\d+(?:\.\d+)?)\s*([KMGkmg]?[Bb]?)\s*$/;
const SIZE_UNITS: { readonly [unit: string]: number } = {
  "": 1,
  B: 1,
  K: 1024,
  KB: 1024,
  M: 1024 ** 2,
  MB: 1024 ** 2,
  G: 1024 ** 3,
  GB: 1024 ** 3,
};

/** Formats a number of bytes in the largest unit that divides it: `32KB`, `120MB`, `8190`. */
export function formatSize(bytes: number): string {
  if (bytes === 0) return "0";
  const unit = (["GB", "MB", "KB"] as const).find((name) => bytes % (SIZE_UNITS[name] as number) === 0);
  return unit === undefined ? String(bytes) : `${bytes / (SIZE_UNITS[unit] as number)}${unit}`;
}

/** A number of bytes, written `8190`, `512KB`, `10MB` or `1GB`; units are powers of 1024. */
export function size(min = 0): Kind<number, number | string> {
  return kind({
    placeholder: "BYTES",
    schema: v.pipe(
      numberOrText(SIZE, "is not a size: write 8190, 512KB, 10MB or 1GB"),
      transformWith((written) => {
        const [, amount, unit = ""] = SIZE.exec(String(written)) ?? [];
        const value = Math.round(Number(amount) * (SIZE_UNITS[unit.toUpperCase()] as number));
        if (!(value <= Number.MAX_SAFE_INTEGER)) throw new Error(`${displayValue(written)} is too large`);
        if (value < min) throw new Error(`${displayValue(written)} is too small: at least ${min} bytes`);
        return value;
      }),
    ),
    format: formatSize,
  });
}

const SIZE_OR_AUTO = /^\s*(?:auto|\d+(?:\.\d+)?\s*[KMGkmg]?[Bb]?)\s*$/;

/** A number of bytes, or the word `auto`. */
export function sizeOrAuto(min = 0): Kind<number | "auto", number | string> {
  const bytes = size(min);
  return kind<number | "auto", number | string>({
    placeholder: "BYTES|auto",
    schema: v.pipe(
      numberOrText(SIZE_OR_AUTO, "is neither a size nor auto: write 512MB, 1GB or auto"),
      transformWith((written) => (String(written).trim() === "auto" ? "auto" : bytes.parse(written))),
    ),
    format: (value) => (value === "auto" ? value : formatSize(value)),
  });
}
