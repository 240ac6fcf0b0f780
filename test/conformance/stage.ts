/** The environment of a case: a server with its app, the notes of the app, and the reported errors. */
import type { Duplex } from "node:stream";
import type { App, Handler } from "../../src/gateway/types.ts";
import type { Subject, SuiteOptions, SuiteRequest, SuiteResponse } from "./exchange.ts";
import { WireClient } from "./wire-client.ts";

const DEADLINE_MS = 5000;

export interface Case {
  /** The clauses of docs/gateway.md that it covers. */
  readonly clauses: readonly string[];
  readonly title: string;
  readonly options?: Omit<SuiteOptions, "onError">;
  /** True if it needs a connection: bytes, half-closing, backpressure. */
  readonly wire?: true;
  /** Why it cannot run under lint; undefined if it can. */
  readonly notUnderLint?: string;
  app(stage: Stage): Handler | App;
  run(stage: Stage): Promise<void>;
}

export class Stage {
  /** Values that the app has noted, for the case to check. */
  readonly notes: unknown[] = [];
  readonly errors: { error: Error; id: string }[] = [];
  readonly #clients: WireClient[] = [];
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
    if (this.#subject !== undefined) await within(this.#subject.close(), "the server to close");
  }
}

/** Rejects if `promise` takes too long. */
export async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`timed out waiting for ${what}`)), DEADLINE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
