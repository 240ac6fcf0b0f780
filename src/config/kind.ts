/**
 * Kinds of settings: what a value may look like and what becomes of it. A kind takes a string from the
 * command line or the environment, and the natural type from a file, and says what is wrong in words
 * that make sense behind the name of the setting. What may be written is a schema, from which the types of
 * a configuration file and its JSON Schema are derived too.
 */
import * as v from "valibot";

/** `T` is what a value becomes, `Input` how it is written in a configuration file. */
export interface Kind<T, Input = T> {
  /** What stands for the value in help: `SECONDS`, `BYTES`. */
  readonly placeholder: string;
  /** Several values are collected into one list. */
  readonly repeatable?: boolean;
  /** On the command line the flag alone says it: no value follows. */
  readonly bare?: boolean;
  /** What may be written in a file, and what becomes of it. */
  readonly schema: v.GenericSchema<Input, T>;
  /** @throws Error with the reason, without the setting's name. */
  parse(raw: unknown): T;
  /** As it would be written on the command line. */
  format(value: T): string;
}

interface Making<T, Input> {
  readonly placeholder: string;
  readonly repeatable?: boolean;
  readonly bare?: boolean;
  readonly schema: v.GenericSchema<Input, T>;
  /** From a word of the command line or the environment to what would be written in a file. */
  readonly fromText?: (text: string) => unknown;
  readonly format?: (value: T) => string;
}

/** A kind, from its schema. */
export function kind<T, Input>(making: Making<T, Input>): Kind<T, Input> {
  const { fromText, format = String, ...rest } = making;
  return {
    ...rest,
    format,
    parse(raw) {
      const written = typeof raw === "string" && fromText !== undefined ? fromText(raw) : raw;
      const { success, output, issues } = v.safeParse(making.schema, written, { abortEarly: true });
      if (success) return output;
      throw new Error(issues[0].message);
    },
  };
}

function shown(raw: unknown): string {
  if (Array.isArray(raw)) return raw.length === 1 ? shown(raw[0]) : JSON.stringify(raw);
  if (typeof raw === "function") return "a function";
  return typeof raw === "string" || (typeof raw === "object" && raw !== null)
    ? JSON.stringify(raw)
    : String(raw);
}

/** A message that begins with the value as it was written. */
export function complaint(text: string): (issue: { input: unknown }) => string {
  return ({ input }) => `${shown(input)} ${text}`;
}

/** What a function makes of the value; the message of what it throws is the complaint. */
export function read<In, Out>(make: (written: In) => Out): v.RawTransformAction<In, Out> {
  return v.rawTransform<In, Out>(({ dataset, addIssue, NEVER }) => {
    try {
      return make(dataset.value);
    } catch (error) {
      addIssue({ message: (error as Error).message });
      return NEVER;
    }
  });
}

/** A number as it is, or text of a form. */
function numberOrText(form: RegExp, wrong: string): v.GenericSchema<number | string> {
  const message = complaint(wrong);
  return v.union(
    [v.pipe(v.number(message), v.minValue(0, message)), v.pipe(v.string(message), v.regex(form, message))],
    message,
  );
}

const NOT_WHOLE = complaint("is not a whole number");
const NOT_WHOLE_NOR_AUTO = complaint("is not a whole number, nor auto");

function whole(min: number, max: number): v.GenericSchema<number> {
  return v.pipe(
    v.number(NOT_WHOLE),
    v.integer(NOT_WHOLE),
    v.minValue(min, ({ input }) => `${input} is too small: at least ${min}`),
    v.maxValue(max, ({ input }) => `${input} is too large: at most ${max}`),
  );
}

function digits(text: string): unknown {
  return /^\d{1,15}$/.test(text.trim()) ? Number(text) : text;
}

/** A whole number within bounds. */
export function count(min: number, max: number = Number.MAX_SAFE_INTEGER): Kind<number> {
  return kind({ placeholder: "INT", schema: whole(min, max), fromText: digits });
}

/** A whole number within bounds, or the word `auto`. */
export function countOrAuto(min: number, max: number): Kind<number | "auto"> {
  return kind<number | "auto", number | "auto">({
    placeholder: "INT|auto",
    schema: v.union([v.literal("auto"), whole(min, max)], NOT_WHOLE_NOR_AUTO),
    fromText: (text) => (text.trim().toLowerCase() === "auto" ? "auto" : digits(text)),
  });
}

const DURATION = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h)?\s*$/;
const DURATION_UNITS: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A timer can wait for 2^31 - 1 milliseconds, 24.8 days: half an hour less leaves room for what is added to a setting. */
const LONGEST = 596 * 3_600_000;

/** Milliseconds of what was written; `least` says what is too short, and how long it must be. */
function milliseconds(written: number | string, isShort: (value: number) => string | undefined): number {
  const [, amount, unit = "s"] = DURATION.exec(String(written)) ?? [];
  const value = Math.round(Number(amount) * (DURATION_UNITS[unit] as number));
  const least = isShort(value);
  if (least !== undefined) throw new Error(`${shown(written)} is too short: at least ${least}`);
  // A number that is written with an exponent is no duration that anybody means.
  if (!(value <= LONGEST)) throw new Error(`${shown(written)} is too long: at most 596h`);
  return value;
}

function timeSpan(isShort: (value: number) => string | undefined): Kind<number, number | string> {
  return kind({
    placeholder: "SECONDS",
    schema: v.pipe(
      numberOrText(DURATION, "is not a duration: write 30, 1.5, 500ms, 30s or 1m"),
      read((written) => milliseconds(written, isShort)),
    ),
    format: formatDuration,
  });
}

/** A time span in milliseconds, written `30`, `1.5`, `500ms`, `30s`, `1m` or `1h`; plain numbers are seconds. */
export function duration(min = 0): Kind<number, number | string> {
  return timeSpan((value) => (value < min ? formatDuration(min) : undefined));
}

/** A time span of at least `min` milliseconds, or 0 for none. */
export function durationOrNone(min: number): Kind<number, number | string> {
  return timeSpan((value) => (value > 0 && value < min ? `${formatDuration(min)}, or 0` : undefined));
}

/** Milliseconds as a duration is written. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0";
  return ms >= 1000 ? `${ms / 1000}s` : `${ms}ms`;
}

/** So many deaths of workers within so many milliseconds. */
export interface CrashLimit {
  readonly deaths: number;
  readonly within: number;
}

const CRASH_LIMIT = /^\s*(?:0|([1-9]\d{0,5})\/(.+?))\s*$/;
const NO_CRASH_LIMIT = complaint("is no crash limit: write 5/60s, or 0");

/** A number of crashes and a time span, written `5/60s`; 0 is no limit. */
export const crashLimit: Kind<CrashLimit | undefined, string> = kind({
  placeholder: "N/SECONDS",
  schema: v.pipe(
    v.string(NO_CRASH_LIMIT),
    v.regex(CRASH_LIMIT, NO_CRASH_LIMIT),
    read((written): CrashLimit | undefined => {
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

/** A number of bytes, written `8190`, `512KB`, `10MB` or `1GB`; units are powers of 1024. */
export function size(min = 0): Kind<number, number | string> {
  return kind({
    placeholder: "BYTES",
    schema: v.pipe(
      numberOrText(SIZE, "is not a size: write 8190, 512KB, 10MB or 1GB"),
      read((written) => {
        const [, amount, unit = ""] = SIZE.exec(String(written)) ?? [];
        const value = Math.round(Number(amount) * (SIZE_UNITS[unit.toUpperCase()] as number));
        if (!(value <= Number.MAX_SAFE_INTEGER)) throw new Error(`${shown(written)} is too large`);
        if (value < min) throw new Error(`${shown(written)} is too small: at least ${min} bytes`);
        return value;
      }),
    ),
  });
}

/** File names or globs, each given by itself: a comma may be part of one. */
export const globs: Kind<readonly string[], string | readonly string[]> = kind({
  placeholder: "FILE",
  repeatable: true,
  schema: v.pipe(
    v.union(
      [v.pipe(v.string(), v.nonEmpty()), v.array(v.pipe(v.string(), v.nonEmpty()))],
      complaint("is not the name of a file"),
    ),
    v.transform((written) => (typeof written === "string" ? [written] : written)),
  ),
  format: (value) => value.join(" "),
});

/** One of a few words. */
export function choice<const Words extends readonly string[]>(...words: Words): Kind<Words[number]> {
  return kind<Words[number], Words[number]>({
    placeholder: words.join("|"),
    schema: v.picklist(words, complaint(`is none of ${words.join(", ")}`)),
    fromText: (text) => text.trim().toLowerCase(),
  });
}

const NO_NAME = complaint("is not a name");

/** Text that is not empty. */
export function text(placeholder: string): Kind<string> {
  return kind({ placeholder, schema: v.pipe(v.string(NO_NAME), v.nonEmpty(NO_NAME)) });
}

const PORT_NUMBER = /^\d+$/;
const NO_PID_FILE: (issue: { input: unknown }) => string = ({ input }) =>
  `${shown(input)} is a number, not a file: for a port write --bind 127.0.0.1:${input}, for such a file ./${input}`;

/** A file to write the arbiter's process id to. A bare number is what people write who take `-p` for the port. */
export const pidFile: Kind<string> = kind({
  placeholder: "FILE",
  schema: v.pipe(
    v.string(NO_NAME),
    v.nonEmpty(NO_NAME),
    v.check((name) => !PORT_NUMBER.test(name), NO_PID_FILE),
  ),
});

const YES = ["true", "yes", "on", "1"];
const NO = ["false", "no", "off", "0"];

/** Yes or no; the flag alone is yes. */
export const flag: Kind<boolean> = kind({
  placeholder: "",
  bare: true,
  schema: v.boolean(complaint("is neither true nor false")),
  fromText(text) {
    const word = text.trim().toLowerCase();
    if (YES.includes(word)) return true;
    return NO.includes(word) ? false : text;
  },
});

const MODE = /^\s*(?:0o?)?([0-7]{1,3})\s*$/;
const NO_MODE = complaint("is no mode: write it in octal, as in 660");

/** The bits of a file's mode or of a umask, written in octal: `660`, `0660`, `0o660`. Numbers are taken as they are. */
export const fileMode: Kind<number, number | string> = kind({
  placeholder: "OCTAL",
  schema: v.pipe(
    v.union(
      [
        v.pipe(v.number(NO_MODE), v.integer(NO_MODE), v.minValue(0, NO_MODE), v.maxValue(0o777, NO_MODE)),
        v.pipe(v.string(NO_MODE), v.regex(MODE, NO_MODE)),
      ],
      NO_MODE,
    ),
    read((written) =>
      typeof written === "number" ? written : Number.parseInt(MODE.exec(written)?.[1] as string, 8),
    ),
  ),
  format: (value) => value.toString(8).padStart(3, "0"),
});

const VARIABLE = /^([^=\0]+)=([^\0]*)$/;
const NO_VARIABLE = complaint("is no variable: write NAME=VALUE");

function pairOf(written: string): [string, string] {
  const [, name = "", value = ""] = VARIABLE.exec(written) ?? [];
  return [name, value];
}

/** Variables of the environment, each written `NAME=VALUE`. */
export const variables: Kind<
  Readonly<Record<string, string>>,
  Readonly<Record<string, string | number>> | readonly string[]
> = kind({
  placeholder: "NAME=VALUE",
  repeatable: true,
  schema: v.pipe(
    v.union(
      [
        v.array(v.pipe(v.string(NO_VARIABLE), v.regex(VARIABLE, NO_VARIABLE))),
        v.record(
          v.pipe(v.string(), v.regex(/^[^=\0\d][^=\0]*$/, NO_VARIABLE)),
          v.union([v.number(), v.pipe(v.string(), v.regex(/^[^\0]*$/, NO_VARIABLE))], NO_VARIABLE),
        ),
      ],
      NO_VARIABLE,
    ),
    read((written) =>
      Array.isArray(written)
        ? Object.fromEntries(written.map(pairOf))
        : Object.fromEntries(Object.entries(written).map(([name, value]) => [name, String(value)])),
    ),
  ),
  fromText: (text) => [text],
  format: (value) =>
    Object.entries(value)
      .map((pair) => pair.join("="))
      .join(" "),
});

const NO_PATH = complaint("is not a path");

/** A file's path, or false for none: `--no-name` on the command line, `false` or `none` elsewhere. */
export const pathOrNone: Kind<string | false> = kind({
  placeholder: "PATH",
  schema: v.union([v.literal(false), v.pipe(v.string(NO_PATH), v.nonEmpty(NO_PATH))], NO_PATH),
  fromText: (text) => (text === "none" ? false : text),
  format: (value) => (value === false ? "none" : value),
});

/** Where a configuration file is: a path, `file:PATH` or `module:NAME`; false for none. */
export const configSource: Kind<string | false> = { ...pathOrNone, placeholder: "FILE" };
