/** One setting of the table: what it is, and how it is documented. */
import type { Kind } from "../kind.ts";

export interface Setting<T, Input = unknown> {
  readonly section: Section;
  readonly kind: Kind<T, Input>;
  readonly default: T;
  /** Text for documentation of a default that depends on the system. */
  readonly defaultDoc?: string;
  /** Flags besides the one derived from the name (`keepAlive` → `--keep-alive`): a short flag, an older name. */
  readonly flags?: readonly string[];
  /** A further flag that writes the same setting in another way: `--env-file-if-exists FILE` is `--env-file FILE?`. */
  readonly variant?: { readonly flag: string; readonly doc: string; rewrite(written: string): string };
  /** Environment variables besides `TSGUN_<NAME>`, which takes precedence. */
  readonly environment?: readonly string[];
  /** `--no-NAME` sets it to false. The text says what that does, for the help. */
  readonly negatable?: string;
  /** A positional argument on the command line, not a flag. */
  readonly positional?: boolean;
  /** Cannot be set in a configuration file, because it locates that file or says what to do with it. */
  readonly outsideFile?: boolean;
  /** Its value is never shown: not by `--print-config`, not by the control interface, not in a log. */
  readonly secret?: boolean;
  /** Whether HUP can change it. Settings of the arbiter and its sockets need a restart. */
  readonly reload: boolean;
  /** Describes the effect in one or two sentences. */
  readonly doc: string;
}

/** The headings of the help, in order. */
export const SECTIONS = [
  "Config file",
  "Application",
  "Server socket",
  "TLS",
  "Proxies",
  "Workers",
  "Process",
  "Debugging",
  "Limits",
  "Timeouts",
  "Logging",
  "Control",
] as const;
export type Section = (typeof SECTIONS)[number];

/** A table entry: the default is one of the kind's values, or undefined for none. */
type Entry<T, Input, Default> = Omit<Setting<T, Input>, "kind" | "default"> & {
  readonly kind: Kind<T, Input>;
  readonly default: Default;
};

/** Infers the type of a table entry. */
export function setting<T, Input = unknown, const Default extends T | undefined = T>(
  entry: Entry<T, Input, Default>,
): Setting<T | (undefined extends Default ? undefined : never), Input> {
  return entry as Setting<T | (undefined extends Default ? undefined : never), Input>;
}
