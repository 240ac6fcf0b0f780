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

export interface Atom {
  /** Words that people write for it by mistake; used for "did you mean". */
  readonly words: readonly string[];
  readonly doc: string;
  /**
   * `safe`: a client cannot influence the value, so it is not escaped. `word`: spaces are escaped too, because
   * formats use it without quotation marks.
   */
  readonly nature?: "safe" | "word";
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

/** An atom whose value does not depend on the worker. */
function atom(words: string, doc: string, read: AtomReader, nature?: Atom["nature"]): Atom {
  return { words: words.split(" "), doc, ...(nature && { nature }), reader: () => read };
}

export const ATOMS: { readonly [name: string]: Atom } = {
  h: atom("remote host address addr ip client remote_addr", "the client's address", (entry) => {
    return entry.remote || undefined;
  }),
  l: atom("ident logname", "always `-`", () => undefined, "safe"),
  u: atom("user username remote_user", "the user name of Basic authentication", userOf, "word"),
  t: atom(
    "date timestamp",
    "when the request arrived: `[22/Nov/2026:22:15:18 +0000]`",
    (entry) => {
      return clfTime(entry.time);
    },
    "safe",
  ),
  r: atom("request line request_line", "the request line: `GET /path?query HTTP/1.1`", requestLine),
  m: atom("method", "the method", (entry) => entry.method || undefined),
  target: atom(
    "url uri raw_uri",
    "the request target as it came: `/path?query`",
    (entry) => entry.target || undefined,
    "word",
  ),
  U: atom("path", "the path, percent-encoded as it came, without the query", pathOf, "word"),
  q: atom("query query_string", "the query, without its `?`", queryOf, "word"),
  H: atom("protocol version", "the protocol: `HTTP/1.1`", (entry) => entry.protocol || undefined),
  s: atom("status code status_code", "the status", (entry) => entry.status, "safe"),
  st: atom(
    "reason phrase",
    "the status's reason phrase: `Not Found`",
    (entry) => REASONS[entry.status],
    "safe",
  ),
  B: atom("bytes", "bytes of content sent; 0 for none", (entry) => entry.bytes, "safe"),
  b: atom("size length", "bytes of content sent; `-` for none", (entry) => entry.bytes || undefined, "safe"),
  f: atom("referer referrer", "the Referer field", (entry) => entry.requestField("referer")),
  a: atom("agent user_agent", "the User-Agent field", (entry) => entry.requestField("user-agent")),
  T: atom(
    "seconds",
    "how long it took, in whole seconds",
    (entry) => Math.floor(entry.duration / 1000),
    "safe",
  ),
  M: atom("milliseconds", "in whole milliseconds", (entry) => Math.floor(entry.duration), "safe"),
  D: atom("microseconds", "in microseconds", (entry) => Math.floor(entry.duration * 1000), "safe"),
  L: atom("duration request_time", "in seconds with six decimals: `0.002310`", decimalSeconds, "safe"),
  p: {
    words: ["process"],
    doc: "the worker's process id in brackets: `<4711>`",
    nature: "safe",
    reader: ({ pid }) => {
      const text = `<${pid}>`;
      return () => text;
    },
  },
  id: atom("request_id", "the request's id: the app's `request.id`", (entry) => entry.id || undefined),
  end: atom(
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
  ms: atom(
    "elapsed",
    "how long it took, in milliseconds with three decimals",
    (entry) => {
      return Math.floor(entry.duration * 1000) / 1000;
    },
    "safe",
  ),
  traceparent: atom("trace", "the traceparent field of a trusted peer", (entry) => {
    return entry.trusted ? entry.requestField("traceparent") : undefined;
  }),
  pid: {
    words: ["worker_pid"],
    doc: "the worker's process id",
    nature: "safe",
    reader:
      ({ pid }) =>
      () =>
        pid,
  },
  slot: {
    words: ["worker"],
    doc: "the worker's place in the pool, from 1",
    nature: "safe",
    reader:
      ({ slot }) =>
      () =>
        slot,
  },
};

/** Atoms with a name in braces: `%({name}i)s` a request field, `o` a response field, `e` an environment variable. */
export const NAMED_ATOMS: { readonly [letter: string]: (name: string, worker: LoggedWorker) => AtomReader } =
  {
    i: (name) => {
      const field = name.toLowerCase();
      return (entry) => entry.requestField(field);
    },
    o: (name) => {
      const field = name.toLowerCase();
      return (entry) => entry.responseField(field);
    },
    e: (name, { env }) => {
      const value = env[name];
      return () => value;
    },
  };
