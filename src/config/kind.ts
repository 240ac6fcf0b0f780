/**
 * Kinds of settings: what a value may look like and what becomes of it. A kind takes a string from the
 * command line or the environment, and the natural type from a file, and says what is wrong in words
 * that make sense behind the name of the setting.
 */
import { FORWARDED_FIELDS, type ForwardedField, parsePeerRange, rootPathOf } from "../gateway/proxies.ts";
import { type Address, formatAddress, parseAddress } from "./address.ts";

/** `T` is what a value becomes, `Input` how it is written in a configuration file. */
export interface Kind<T, Input = T> {
  /** Never there: carries the type. */
  readonly input?: Input;
  /** What stands for the value in help: `SECONDS`, `BYTES`. */
  readonly placeholder: string;
  /** Several values are collected into one list. */
  readonly repeatable?: boolean;
  /** On the command line the flag alone says it: no value follows. */
  readonly bare?: boolean;
  /** @throws Error with the reason, without the setting's name. */
  parse(raw: unknown): T;
  /** As it would be written on the command line. */
  format(value: T): string;
}

function shown(raw: unknown): string {
  return typeof raw === "string" ? JSON.stringify(raw) : String(raw);
}

/** A whole number within bounds. */
export function count(min: number, max: number = Number.MAX_SAFE_INTEGER): Kind<number> {
  return {
    placeholder: "INT",
    parse(raw) {
      const value = typeof raw === "string" && /^\d{1,15}$/.test(raw.trim()) ? Number(raw) : raw;
      if (typeof value !== "number" || !Number.isInteger(value)) {
        throw new Error(`${shown(raw)} is not a whole number`);
      }
      if (value < min) throw new Error(`${value} is too small: at least ${min}`);
      if (value > max) throw new Error(`${value} is too large: at most ${max}`);
      return value;
    },
    format: String,
  };
}

/** A whole number within bounds, or the word `auto`. */
export function countOrAuto(min: number, max: number): Kind<number | "auto"> {
  const kind = count(min, max);
  return {
    placeholder: "INT|auto",
    parse: (raw) => (String(raw).trim().toLowerCase() === "auto" ? "auto" : kind.parse(raw)),
    format: String,
  };
}

const DURATION_UNITS: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** The longest time a timer can wait: 2^31 - 1 milliseconds, 24.8 days. */
const LONGEST = 2 ** 31 - 1;

/** A time span in milliseconds, written `30`, `1.5`, `500ms`, `30s`, `1m` or `1h`; plain numbers are seconds. */
export function duration(min = 0): Kind<number, number | string> {
  return {
    placeholder: "SECONDS",
    parse(raw) {
      const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h)?$/.exec(String(raw).trim());
      if (match === null) throw new Error(`${shown(raw)} is not a duration: write 30, 1.5, 500ms, 30s or 1m`);
      const value = Math.round(Number(match[1]) * (DURATION_UNITS[match[2] ?? "s"] as number));
      if (value < min) throw new Error(`${shown(raw)} is too short: at least ${formatDuration(min)}`);
      if (value > LONGEST) throw new Error(`${shown(raw)} is too long: at most 596h`);
      return value;
    },
    format: formatDuration,
  };
}

/** A time span of at least `min` milliseconds, or 0 for none. */
export function durationOrNone(min: number): Kind<number, number | string> {
  const kind = duration();
  return {
    ...kind,
    parse(raw) {
      const value = kind.parse(raw);
      if (value > 0 && value < min) {
        throw new Error(`${shown(raw)} is too short: at least ${formatDuration(min)}, or 0`);
      }
      return value;
    },
  };
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

/** A number of crashes and a time span, written `5/60s`; 0 is no limit. */
export const crashLimit: Kind<CrashLimit | undefined, string | 0> = {
  placeholder: "N/SECONDS",
  parse(raw) {
    if (String(raw).trim() === "0") return undefined;
    const match = /^([1-9]\d{0,5})\/(.+)$/.exec(String(raw).trim());
    if (match === null) throw new Error(`${shown(raw)} is no crash limit: write 5/60s, or 0`);
    return { deaths: Number(match[1]), within: duration(1).parse(match[2]) };
  },
  format: (value) => (value === undefined ? "0" : `${value.deaths}/${formatDuration(value.within)}`),
};

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
  return {
    placeholder: "BYTES",
    parse(raw) {
      const match = /^(\d+(?:\.\d+)?)\s*([KMG]?B?)$/i.exec(String(raw).trim());
      if (match === null) throw new Error(`${shown(raw)} is not a size: write 8190, 512KB, 10MB or 1GB`);
      const value = Math.round(Number(match[1]) * (SIZE_UNITS[(match[2] as string).toUpperCase()] as number));
      if (value > Number.MAX_SAFE_INTEGER) throw new Error(`${shown(raw)} is too large`);
      if (value < min) throw new Error(`${shown(raw)} is too small: at least ${min} bytes`);
      return value;
    },
    format: String,
  };
}

/** One of a few words. */
export function choice<const Words extends readonly string[]>(...words: Words): Kind<Words[number]> {
  return {
    placeholder: words.join("|"),
    parse(raw) {
      const word = String(raw).trim().toLowerCase();
      if (!words.includes(word)) throw new Error(`${shown(raw)} is none of ${words.join(", ")}`);
      return word;
    },
    format: String,
  };
}

export function text(placeholder: string): Kind<string> {
  return {
    placeholder,
    parse(raw) {
      if (typeof raw !== "string" || raw === "") throw new Error(`${shown(raw)} is not a name`);
      return raw;
    },
    format: String,
  };
}

/** Yes or no; the flag alone is yes. */
export const flag: Kind<boolean> = {
  placeholder: "",
  bare: true,
  parse(raw) {
    const word = String(raw).trim().toLowerCase();
    if (["true", "yes", "on", "1"].includes(word)) return true;
    if (["false", "no", "off", "0"].includes(word)) return false;
    throw new Error(`${shown(raw)} is neither true nor false`);
  },
  format: String,
};

/** The bits of a file's mode or of a umask, written in octal: `660`, `0660`, `0o660`. Numbers are taken as they are. */
export const fileMode: Kind<number, number | string> = {
  placeholder: "OCTAL",
  parse(raw) {
    if (typeof raw === "number" && Number.isInteger(raw) && raw >= 0 && raw <= 0o777) return raw;
    const digits = typeof raw === "string" ? /^(?:0o?)?([0-7]{1,3})$/.exec(raw.trim())?.[1] : undefined;
    if (digits === undefined) throw new Error(`${shown(raw)} is no mode: write it in octal, as in 660`);
    return Number.parseInt(digits, 8);
  },
  format: (value) => value.toString(8).padStart(3, "0"),
};

/** Variables of the environment, each written `NAME=VALUE`. */
export const variables: Kind<
  Readonly<Record<string, string>>,
  Readonly<Record<string, string>> | readonly string[]
> = {
  placeholder: "NAME=VALUE",
  repeatable: true,
  parse(raw) {
    const given = typeof raw === "object" && raw !== null && !Array.isArray(raw) ? Object.entries(raw) : raw;
    const pairs = (Array.isArray(given) ? given : [given]).map((item: unknown): [string, string] => {
      const pair = Array.isArray(item) ? item.join("=") : item;
      const match = typeof pair === "string" ? /^([^=\0]+)=([^\0]*)$/s.exec(pair) : null;
      if (match === null) throw new Error(`${shown(pair)} is no variable: write NAME=VALUE`);
      return [match[1] as string, match[2] as string];
    });
    return Object.fromEntries(pairs);
  },
  format: (value) =>
    Object.entries(value)
      .map((pair) => pair.join("="))
      .join(" "),
};

/** Addresses to bind; one string may hold several, separated by commas. */
export const addresses: Kind<readonly Address[], string | readonly string[]> = {
  placeholder: "ADDRESS",
  repeatable: true,
  parse(raw) {
    const items = (Array.isArray(raw) ? raw : [raw]).flatMap((item) => String(item).split(","));
    return items.map((item) => parseAddress(item.trim()));
  },
  format: (value) => value.map(formatAddress).join(","),
};

/** One address. */
export const address: Kind<Address, string> = {
  placeholder: "ADDRESS",
  parse: (raw) => parseAddress(String(raw).trim()),
  format: formatAddress,
};

/** A file's path, or false for none: `--no-name` on the command line, `false` or `none` elsewhere. */
export const pathOrNone: Kind<string | false> = {
  placeholder: "PATH",
  parse(raw) {
    if (raw === false || raw === "none") return false;
    if (typeof raw !== "string" || raw === "") throw new Error(`${shown(raw)} is not a path`);
    return raw;
  },
  format: (value) => (value === false ? "none" : value),
};

/** The path of a URL, from its first slash. */
export const urlPath: Kind<string> = {
  placeholder: "PATH",
  parse(raw) {
    if (typeof raw !== "string" || !/^\/[!-"$-~]*$/.test(raw))
      throw new Error(`${shown(raw)} is not a path that begins with /`);
    return raw;
  },
  format: String,
};

/** The entries of a list, given as an array, with commas, or both; `none` and nothing are an empty one. */
function listed(raw: unknown): string[] {
  const entries = (Array.isArray(raw) ? raw : [raw]).flatMap((item) => String(item).split(","));
  return entries.map((entry) => entry.trim()).filter((entry) => entry !== "" && entry !== "none");
}

function formatList(value: readonly string[]): string {
  return value.length === 0 ? "none" : value.join(",");
}

/** Peers to trust: addresses, CIDRs, `unix`, `*`; `none` for nobody. */
export const peers: Kind<readonly string[], string | readonly string[]> = {
  placeholder: "PEERS",
  repeatable: true,
  parse(raw) {
    const entries = listed(raw);
    for (const entry of entries) parsePeerRange(entry);
    return entries;
  },
  format: formatList,
};

/** Names of fields in which proxies say who asks; `none` for none of them. */
export const forwardedFields: Kind<readonly ForwardedField[], string | readonly ForwardedField[]> = {
  placeholder: "NAMES",
  repeatable: true,
  parse: (raw) =>
    listed(raw).map((entry) => {
      const field = FORWARDED_FIELDS.find((name) => name === entry.toLowerCase());
      if (field === undefined) throw new Error(`"${entry}" is none of ${FORWARDED_FIELDS.join(", ")}`);
      return field;
    }),
  format: formatList,
};

/** The path under which an app is mounted; `/` is "". */
export const rootPath: Kind<string> = {
  placeholder: "PATH",
  parse(raw) {
    const path = typeof raw === "string" ? rootPathOf(raw) : undefined;
    if (path === undefined) throw new Error(`${shown(raw)} is not a path: write /app`);
    return path;
  },
  format: (value) => value || "/",
};
/** Where a configuration file is: a path, `file:PATH` or `module:NAME`; false for none. */
export const configSource: Kind<string | false> = { ...pathOrNone, placeholder: "FILE" };
