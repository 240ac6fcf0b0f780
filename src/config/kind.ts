/**
 * Kinds of settings: how a value is written and what it parses to. A kind accepts a string from the command line or the
 * environment and the natural type from a file. Its error messages read well after the name of the setting. The input is
 * described by a schema, from which the types of a configuration file and its JSON Schema are derived too.
 */
import * as v from "valibot";

/** `T` is the parsed type, `Input` the type in a configuration file. */
export interface Kind<T, Input = T> {
  /** The value's placeholder in `--help`: `SECONDS`, `BYTES`. */
  readonly placeholder: string;
  /** The flag can be repeated; values are collected into a list. */
  readonly repeatable?: boolean;
  /** On the command line the flag takes no value. */
  readonly bare?: boolean;
  /** The value of a flag that is written without one. */
  readonly alone?: string;
  /** Validates and transforms the value in a file. */
  readonly schema: v.GenericSchema<Input, T>;
  /** @throws Error with the reason, without the name of the setting */
  parse(raw: unknown): T;
  /** Formats a value as on the command line. */
  format(value: T): string;
}

interface KindOptions<T, Input> {
  readonly placeholder: string;
  readonly repeatable?: boolean;
  readonly bare?: boolean;
  readonly alone?: string;
  readonly schema: v.GenericSchema<Input, T>;
  /** Converts a word from the command line or the environment to the value a file would contain. */
  readonly fromText?: (text: string) => unknown;
  readonly format?: (value: T) => string;
}

/** Creates a kind from its schema. */
export function kind<T, Input>(options: KindOptions<T, Input>): Kind<T, Input> {
  const { fromText, format = String, ...rest } = options;
  return {
    ...rest,
    format,
    parse(raw) {
      const written = typeof raw === "string" && fromText !== undefined ? fromText(raw) : raw;
      const { success, output, issues } = v.safeParse(options.schema, written, { abortEarly: true });
      if (success) return output;
      throw new Error(issues[0].message);
    },
  };
}

export function displayValue(raw: unknown): string {
  if (Array.isArray(raw)) return raw.length === 1 ? displayValue(raw[0]) : JSON.stringify(raw);
  if (typeof raw === "function") return "a function";
  return typeof raw === "string" || (typeof raw === "object" && raw !== null)
    ? JSON.stringify(raw)
    : String(raw);
}

/** Makes a schema message that begins with the value as it was written. */
export function invalidMessage(text: string): (issue: { input: unknown }) => string {
  return ({ input }) => `${displayValue(input)} ${text}`;
}

/** Transforms the value with `make`; the message of an error it throws becomes the issue. */
export function transformWith<In, Out>(make: (written: In) => Out): v.RawTransformAction<In, Out> {
  return v.rawTransform<In, Out>(({ dataset, addIssue, NEVER }) => {
    try {
      return make(dataset.value);
    } catch (error) {
      addIssue({ message: (error as Error).message });
      return NEVER;
    }
  });
}

/** A list of file names, one per value: a name may contain a comma. */
function fileNames(form: RegExp): Kind<readonly string[], string | readonly string[]> {
  const name = v.pipe(v.string(), v.regex(form));
  return kind({
    placeholder: "FILE",
    repeatable: true,
    schema: v.pipe(
      v.union([name, v.array(name)], invalidMessage("is not a file name")),
      v.transform((written) => (typeof written === "string" ? [written] : written)),
    ),
    format: (value) => value.join(" "),
  });
}

/** Names of files. */
export const files: Kind<readonly string[], string | readonly string[]> = fileNames(/./s);

/** File names or globs. */
export const globs: Kind<readonly string[], string | readonly string[]> = fileNames(/./s);

/** Names of files, with a `?` at the end of those that may be missing. */
export const optionalFiles: Kind<readonly string[], string | readonly string[]> = fileNames(/^(?!\?$)./s);

/** One of `words`. */
export function choice<const Words extends readonly string[]>(...words: Words): Kind<Words[number]> {
  return kind<Words[number], Words[number]>({
    placeholder: words.join("|"),
    schema: v.picklist(words, invalidMessage(`is not one of ${words.join(", ")}`)),
    fromText: (text) => text.trim().toLowerCase(),
  });
}

const NO_NAME = invalidMessage("is not a name");

/** Non-empty text. */
export function text(placeholder: string): Kind<string> {
  return kind({ placeholder, schema: v.pipe(v.string(NO_NAME), v.nonEmpty(NO_NAME)) });
}

/** Characters of the shortest token. */
export const MIN_TOKEN = 16;

/** A secret; no error repeats it. */
export const token: Kind<string> = kind({
  placeholder: "TOKEN",
  schema: v.pipe(
    v.string("a token is text"),
    v.regex(new RegExp(`^\\S{${MIN_TOKEN},}$`), `a token has at least ${MIN_TOKEN} characters and no space`),
  ),
});

const PORT_NUMBER = /^\d+$/;
const NO_PID_FILE: (issue: { input: unknown }) => string = ({ input }) =>
  `${displayValue(input)} is a number, not a file: for a port write --bind 127.0.0.1:${input}, for such a file write ./${input}`;

/** The file for the arbiter's process id. Refuses a bare number, from users who take `-p` for the port. */
export const pidFile: Kind<string> = kind({
  placeholder: "FILE",
  schema: v.pipe(
    v.string(NO_NAME),
    v.nonEmpty(NO_NAME),
    v.check((name) => !PORT_NUMBER.test(name), NO_PID_FILE),
  ),
});

const TRUE_WORDS = ["true", "yes", "on", "1"];
const FALSE_WORDS = ["false", "no", "off", "0"];

/** A boolean; the flag alone means true. */
export const flag: Kind<boolean> = kind({
  placeholder: "",
  bare: true,
  schema: v.boolean(invalidMessage("is neither true nor false")),
  fromText(text) {
    const word = text.trim().toLowerCase();
    if (TRUE_WORDS.includes(word)) return true;
    return FALSE_WORDS.includes(word) ? false : text;
  },
});

const MODE = /^\s*(?:0o?)?([0-7]{1,3})\s*$/;
const NO_MODE = invalidMessage("is not a mode: write it in octal, as in 660");

/** Mode bits of a file or a umask, written in octal: `660`, `0660`, `0o660`. Numbers are used as they are. */
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
    transformWith((written) =>
      typeof written === "number" ? written : Number.parseInt(MODE.exec(written)?.[1] as string, 8),
    ),
  ),
  format: (value) => value.toString(8).padStart(3, "0"),
});

const VARIABLE = /^([^=\0]+)=([^\0]*)$/;
const NO_VARIABLE = invalidMessage("is not a variable: write NAME=VALUE");

function parsePair(written: string): [string, string] {
  const [, name = "", value = ""] = VARIABLE.exec(written) ?? [];
  return [name, value];
}

/** Environment variables, each written `NAME=VALUE`. */
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
    transformWith((written) =>
      Array.isArray(written)
        ? Object.fromEntries(written.map(parsePair))
        : Object.fromEntries(Object.entries(written).map(([name, value]) => [name, String(value)])),
    ),
  ),
  fromText: (text) => [text],
  format: (value) =>
    Object.entries(value)
      .map((pair) => pair.join("="))
      .join(" "),
});

const NO_PATH = invalidMessage("is not a path");

/** A file's path, or false for none: `--no-NAME` on the command line, `false` or `none` elsewhere. */
export const pathOrNone: Kind<string | false> = kind({
  placeholder: "PATH",
  schema: v.union([v.literal(false), v.pipe(v.string(NO_PATH), v.nonEmpty(NO_PATH))], NO_PATH),
  fromText: (text) => (text === "none" ? false : text),
  format: (value) => (value === false ? "none" : value),
});

/** The location of a configuration file: a path, `file:PATH` or `module:NAME`; false for none. */
export const configSource: Kind<string | false> = { ...pathOrNone, placeholder: "FILE" };
