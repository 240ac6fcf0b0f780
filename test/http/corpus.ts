/**
 * The corpus: requests as files, each beside its expectation. `corpus/<chapter>/<case>.http` has the bytes of a
 * connection, `<case>.json` the expectation. Every string in it is Latin-1, one character per octet.
 *
 *     clause     the section of the RFC
 *     why        the rule, in one sentence
 *     requests   the complete requests, in order
 *     partial    the request with a valid head whose content was refused or cut short
 *     ending     "open": the connection waits for a request. "closed": the last request ends it, whatever
 *                follows. "upgrade": the last request asks for a protocol change. "incomplete": the client
 *                disconnected within a request. { "refused": status }: the response to an invalid request.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "corpus");

export interface ReadRequest {
  method: string;
  target: string;
  httpVersion: "1.0" | "1.1";
  headers: [string, string][];
  body: string;
  trailers: [string, string][];
  /** Omitted in the files if false. */
  upgrade: boolean;
  /** Omitted in the files if false. */
  expectContinue: boolean;
}

export type Ending = "open" | "closed" | "upgrade" | "incomplete" | { refused: number };

/** The result of reading one connection. */
export interface Reading {
  requests: ReadRequest[];
  partial?: ReadRequest;
  ending: Ending;
}

export interface CorpusCase extends Reading {
  /** `<chapter>/<case>`. */
  name: string;
  clause: string;
  why: string;
  bytes: Buffer;
}

type WrittenRequest = Omit<ReadRequest, "upgrade" | "expectContinue"> & Partial<ReadRequest>;

interface WrittenCase {
  clause: string;
  why: string;
  requests: WrittenRequest[];
  partial?: WrittenRequest;
  ending: Ending;
}

function complete(request: WrittenRequest): ReadRequest {
  return { ...request, upgrade: request.upgrade ?? false, expectContinue: request.expectContinue ?? false };
}

function readCase(name: string): CorpusCase {
  const path = join(ROOT, name);
  const written = JSON.parse(readFileSync(`${path}.json`, "utf8")) as WrittenCase;
  return {
    name,
    clause: written.clause,
    why: written.why,
    bytes: readFileSync(`${path}.http`),
    requests: written.requests.map(complete),
    ...(written.partial === undefined ? {} : { partial: complete(written.partial) }),
    ending: written.ending,
  };
}

/** All cases, sorted by name. Throws if a request has no expectation or the other way round. */
export function readCorpus(): CorpusCase[] {
  const files = readdirSync(ROOT, { recursive: true, encoding: "utf8" });
  const requests = files.filter((file) => file.endsWith(".http")).map((file) => file.slice(0, -5));
  const expectations = files.filter((file) => file.endsWith(".json")).map((file) => file.slice(0, -5));
  const alone = [...requests, ...expectations].filter(
    (name) => !(requests.includes(name) && expectations.includes(name)),
  );
  if (alone.length > 0) throw new Error(`corpus: half a case: ${alone.join(", ")}`);
  return requests.sort().map(readCase);
}

/** A reading without its name and reasons, for comparison. */
export function readingOf({ requests, partial, ending }: Reading): Reading {
  return { requests, ...(partial === undefined ? {} : { partial }), ending };
}
