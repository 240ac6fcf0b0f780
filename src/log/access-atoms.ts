/**
 * The atoms of an access log format: gunicorn's, with gunicorn's meanings, and a few of our own
 * under longer names.
 */

import { REASONS } from "../gateway/statuses.ts";
import type { AccessEntry } from "./access-entry.ts";
import { clfTime, isoTime } from "./log-time.ts";

/** The worker that writes the lines: values that are the same in all of them. */
export interface LoggedWorker {
  readonly pid: number;
  /** Slot in the pool, from 1. */
  readonly slot: number;
  readonly env: NodeJS.ProcessEnv;
}

/** Returns the atom's value, or undefined if the request has none. */
export type AtomReader = (entry: AccessEntry) => string | number | undefined;

/** A part of an atom's value. */
export type AtomPart = Pick<Atom, "dependsOn"> & { readonly read: AtomReader };

export interface Atom {
  /** Words that people write for it by mistake; used for "did you mean". */
  readonly words: readonly string[];
  readonly doc: string;
  /**
   * `safe`: a client cannot influence the value, so it is not escaped. `word`: spaces are escaped too, because
   * formats use it without quotation marks. `number`: safe, and a number in JSON, though the reader may return its text.
   */
  readonly nature?: "safe" | "word" | "number";
  /**
   * The atom that the value depends on, if that seldom changes between the requests of a connection: `itself` if it
   * is cheap to read, `nothing` if it never changes.
   */
  readonly dependsOn?: AtomReader | "itself" | "nothing";
  /** The atoms that it consists of, with spaces between them, in a request whose target and protocol are known. */
  readonly parts?: readonly AtomPart[];
  reader(worker: LoggedWorker): AtomReader;
}

function pathOf({ target }: AccessEntry): string | undefined {
  const mark = target.indexOf("?");
  return (mark === -1 ? target : target.slice(0, mark)) || undefined;
}

function queryOf({ target }: AccessEntry): string {
  const mark = target.indexOf("?");
  return mark === -1 ? "" : target.slice(mark + 1);
}

function requestLine({ method, target, protocol }: AccessEntry): string | undefined {
  if (protocol !== "") return `${method} ${target} ${protocol}`;
  return target === "" ? method || undefined : `${method} ${target}`;
}

const BASIC = /^basic +([A-Za-z0-9+/_-]+=*) *$/i;

/** The user name of Basic authentication (RFC 7617), one character per byte. */
function userOf(entry: AccessEntry): string | undefined {
  const credentials = entry.requestField("authorization");
  if (credentials === undefined) return undefined;
  const encoded = BASIC.exec(credentials)?.[1];
  if (encoded === undefined) return undefined;
  const [user] = Buffer.from(encoded, "base64").toString("latin1").split(":", 1);
  return user || undefined;
}

/** Seconds with microsecond precision: `1.000250`. */
function decimalSeconds({ duration }: AccessEntry): string {
  return (Math.floor(duration * 1000) / 1e6).toFixed(6);
}

/** The decimal places of thousandths: `.25` for 250, nothing for 0. */
const THOUSANDTHS = Array.from({ length: 1000 }, (_, number) => String(number / 1000).slice(1));

/** Milliseconds with microsecond precision: `1000.25`. As V8 would write the number, which takes it longer. */
function decimalMilliseconds({ duration }: AccessEntry): string {
  const microseconds = Math.floor(duration * 1000);
  const whole = Math.floor(microseconds / 1000);
  // The clock may have been set back.
  return whole < 0
    ? String(microseconds / 1000)
    : whole + (THOUSANDTHS[microseconds - whole * 1000] as string);
}

/** An atom whose value does not depend on the worker. */
function atom(words: string, doc: string, read: AtomReader, nature?: Atom["nature"]): Atom {
  return { words: words.split(" "), doc, ...(nature && { nature }), reader: () => read };
}

/** An atom whose value is often that of the connection's last request. */
function steady(words: string, doc: string, read: AtomReader, nature?: Atom["nature"]): Atom {
  return { ...atom(words, doc, read, nature), dependsOn: "itself" };
}

/** An atom whose value the worker knows before there is any request. */
function constant(words: string, doc: string, of: (worker: LoggedWorker) => string | number): Atom {
  const reader = (worker: LoggedWorker): AtomReader => {
    const value = of(worker);
    return () => value;
  };
  return { words: words.split(" "), doc, nature: "safe", dependsOn: "nothing", reader };
}

const REQUEST_LINE: readonly AtomPart[] = [
  { read: ({ method }) => method, dependsOn: "itself" },
  { read: ({ target }) => target },
  { read: ({ protocol }) => protocol, dependsOn: "itself" },
];

export const ATOMS: { readonly [name: string]: Atom } = {
  h: steady("remote host address addr ip client remote_addr", "the client's address", (entry) => {
    return entry.remote || undefined;
  }),
  l: { ...atom("ident logname", "always `-`", () => undefined, "safe"), dependsOn: "nothing" },
  u: {
    ...atom("user username remote_user", "the user name of Basic authentication", userOf, "word"),
    dependsOn: (entry) => entry.requestField("authorization"),
  },
  t: steady(
    "date timestamp",
    "when the request arrived: `[22/Nov/2026:22:15:18 +0000]`",
    (entry) => {
      return clfTime(entry.time);
    },
    "safe",
  ),
  r: {
    ...atom("request line request_line", "the request line: `GET /path?query HTTP/1.1`", requestLine),
    parts: REQUEST_LINE,
  },
  m: steady("method", "the method", (entry) => entry.method || undefined),
  target: atom(
    "url uri raw_uri",
    "the request target as it came: `/path?query`",
    (entry) => entry.target || undefined,
    "word",
  ),
  U: atom("path", "the path, percent-encoded as it came, without the query", pathOf, "word"),
  q: atom("query query_string", "the query, without its `?`", queryOf, "word"),
  H: steady("protocol version", "the protocol: `HTTP/1.1`", (entry) => entry.protocol || undefined),
  s: steady("status code status_code", "the status", (entry) => entry.status, "safe"),
  st: steady(
    "reason phrase",
    "the status's reason phrase: `Not Found`",
    (entry) => REASONS[entry.status],
    "safe",
  ),
  B: atom("bytes", "bytes of content sent; 0 for none", (entry) => entry.bytes, "safe"),
  b: atom("size length", "bytes of content sent; `-` for none", (entry) => entry.bytes || undefined, "safe"),
  f: steady("referer referrer", "the Referer field", (entry) => entry.requestField("referer")),
  a: steady("agent user_agent", "the User-Agent field", (entry) => entry.requestField("user-agent")),
  T: atom(
    "seconds",
    "how long it took, in whole seconds",
    (entry) => Math.floor(entry.duration / 1000),
    "safe",
  ),
  M: atom("milliseconds", "in whole milliseconds", (entry) => Math.floor(entry.duration), "safe"),
  D: atom("microseconds", "in microseconds", (entry) => Math.floor(entry.duration * 1000), "safe"),
  L: atom("duration request_time", "in seconds with six decimals: `0.002310`", decimalSeconds, "safe"),
  p: constant("process", "the worker's process id in brackets: `<4711>`", ({ pid }) => `<${pid}>`),
  id: atom("request_id", "the request's id: the app's `request.id`", (entry) => entry.id || undefined),
  end: steady(
    "ending outcome",
    "how it ended, in a word: `complete`, `client-gone`, …",
    (entry) => entry.end,
    "safe",
  ),
  iso: atom(
    "time datetime",
    "when the request arrived: `2026-11-22T22:15:18.123Z`",
    (entry) => {
      return isoTime(entry.time);
    },
    "safe",
  ),
  ms: atom("elapsed", "how long it took, in milliseconds with three decimals", decimalMilliseconds, "number"),
  traceparent: atom("trace", "the traceparent field of a trusted peer", (entry) => {
    return entry.trusted ? entry.requestField("traceparent") : undefined;
  }),
  pid: constant("worker_pid", "the worker's process id", ({ pid }) => pid),
  slot: constant("worker", "the worker's place in the pool, from 1", ({ slot }) => slot),
};

/** Atoms with a name in braces: `%({name}i)s` a request field, `o` a response field, `e` an environment variable. */
export const NAMED_ATOMS: { readonly [letter: string]: (name: string, worker: LoggedWorker) => Atom } = {
  i: (name) => {
    const field = name.toLowerCase();
    return steady("", "", (entry) => entry.requestField(field));
  },
  o: (name) => {
    const field = name.toLowerCase();
    return atom("", "", (entry) => entry.responseField(field));
  },
  e: (name, { env }) => {
    const value = env[name];
    return { ...atom("", "", () => value), dependsOn: "nothing" };
  },
};
