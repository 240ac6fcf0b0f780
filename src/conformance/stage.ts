/** The environment of a case: a server with its app, the notes of the app, and the reported errors. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import type { App, Handler } from "../gateway/types.ts";
import type { Subject, SuiteOptions, SuiteRequest, SuiteResponse } from "./exchange.ts";
import { WireClient } from "./wire-client.ts";

const DEADLINE_MS = 5000;
/** For all of a case: nothing that a server does wrong may hang the run. */
const CASE_DEADLINE_MS = 20_000;

/** An ability of a server that a case needs beyond one exchange. A server that lacks it says so. */
export type Need =
  /** A connection: bytes, half-closing, backpressure. */
  | "wire"
  /** Trusted proxies. */
  | "proxies"
  /** A root path in its settings. */
  | "root-path"
  /** A limit of its own for request bodies. */
  | "body-limit"
  /** A time limit for requests. */
  | "request-timeout"
  | "drain"
  | "informational"
  | "trailers"
  | "upgrade"
  /** `onServerAnswer` for requests that the parser refused. */
  | "dressed-refusals";

export interface Case {
  /** The clauses of docs/gateway.md that it covers. */
  readonly clauses: readonly string[];
  readonly title: string;
  readonly options?: Omit<SuiteOptions, "onError">;
  /** Needs that do not follow from `options` and `wire`. */
  readonly needs?: readonly Need[];
  /** True if it needs a connection: bytes, half-closing, backpressure. */
  readonly wire?: true;
  /** Why it cannot run under lint; undefined if it can. */
  readonly notUnderLint?: string;
  /** The message of the error that the app fails to start with: `start` may reject with it. */
  readonly startError?: string;
  app(stage: Stage): Handler | App;
  run(stage: Stage): Promise<void>;
}

/** All that a case needs. */
export function needsOf({ needs = [], wire, options = {} }: Case): Need[] {
  return [
    ...needs,
    ...(wire === true ? (["wire"] as const) : []),
    ...(options.forwardedAllowIps !== undefined ? (["proxies"] as const) : []),
    ...(options.rootPath !== undefined ? (["root-path"] as const) : []),
    ...(options.bodyLimit !== undefined ? (["body-limit"] as const) : []),
    ...(options.requestTimeout !== undefined ? (["request-timeout"] as const) : []),
  ];
}

export class Stage {
  /** Values that the app has noted, for the case to check. */
  readonly notes: unknown[] = [];
  readonly errors: { error: Error; id: string }[] = [];
  readonly #clients: WireClient[] = [];
  readonly #folders: string[] = [];
  #subject: Subject | undefined;

  enter(subject: Subject): void {
    this.#subject = subject;
  }

  get subject(): Subject {
    return this.#subject as Subject;
  }

  /** For apps: records a value and returns it. */
  note<T>(value: T): T {
    this.notes.push(value);
    return value;
  }

  exchange(request: SuiteRequest = {}): Promise<SuiteResponse> {
    return within(this.subject.exchange(request), `the response to ${request.method ?? "GET"}`);
  }

  async open(): Promise<WireClient> {
    const connect = this.subject.connect as () => Promise<Duplex>;
    const client = new WireClient(await connect());
    this.#clients.push(client);
    return client;
  }

  /** Creates a file with this content, which is removed after the case, and returns its path. */
  async file(content: string | Uint8Array): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "gateway-conformance-"));
    this.#folders.push(folder);
    const path = join(folder, "file");
    await writeFile(path, content);
    return path;
  }

  /** Plays a case, within a limit. */
  play(each: Case): Promise<void> {
    return within(each.run(this), "the case", CASE_DEADLINE_MS);
  }

  /** Waits until `holds` is true of the notes and errors. */
  async until(holds: () => boolean, what: string): Promise<void> {
    const deadline = Date.now() + DEADLINE_MS;
    for (let turn = 0; !holds(); turn += 1) {
      if (Date.now() > deadline)
        throw new Error(`timed out waiting for ${what}; noted: ${String(this.notes)}`);
      // Most conditions hold within a few turns; longer waits must not occupy a core.
      await new Promise((resolve) => (turn < 50 ? setImmediate(resolve) : setTimeout(resolve, 1)));
    }
  }

  async leave(): Promise<void> {
    for (const client of this.#clients) client.close();
    try {
      if (this.#subject !== undefined) await within(this.#subject.close(), "the server to close");
    } finally {
      for (const folder of this.#folders) await rm(folder, { recursive: true, force: true });
    }
  }
}

/** Rejects if `promise` takes too long. */
export async function within<T>(promise: Promise<T>, what: string, limit = DEADLINE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`timed out waiting for ${what}`)), limit);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
