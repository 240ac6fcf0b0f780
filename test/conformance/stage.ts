/** Where a case is played: a server with the case's app in it, what the app noted, and what was reported. */
import type { Duplex } from "node:stream";
import type { App, Handler } from "../../src/gateway/types.ts";
import type { Subject, SuiteAnswer, SuiteOptions, SuiteRequest } from "./exchange.ts";
import { WireClient } from "./wire-client.ts";

const DEADLINE = 5000;

export interface Case {
  /** The clauses of docs/gateway.md that it shows. */
  readonly clauses: readonly string[];
  readonly title: string;
  readonly options?: Omit<SuiteOptions, "onError">;
  /** True where it needs a connection: bytes, half-closing, backpressure. */
  readonly wire?: true;
  /** Why it cannot be played under lint, where it cannot. */
  readonly notUnderLint?: string;
  app(stage: Stage): Handler | App;
  run(stage: Stage): Promise<void>;
}

export class Stage {
  /** What the app has seen, for the case to look at. */
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

  /** For apps: remembers something, and hands it through. */
  note<T>(value: T): T {
    this.notes.push(value);
    return value;
  }

  exchange(request: SuiteRequest = {}): Promise<SuiteAnswer> {
    return within(this.subject.exchange(request), `the answer to ${request.method ?? "GET"}`);
  }

  async open(): Promise<WireClient> {
    const connect = this.subject.connect as () => Promise<Duplex>;
    const client = new WireClient(await connect());
    this.#clients.push(client);
    return client;
  }

  /** Waits until the app has noted, or the server reported, what `holds` asks for. */
  async until(holds: () => boolean, what: string): Promise<void> {
    const deadline = Date.now() + DEADLINE;
    for (let turn = 0; !holds(); turn += 1) {
      if (Date.now() > deadline) throw new Error(`waited in vain for ${what}; noted: ${String(this.notes)}`);
      // Most of it holds within a few turns; what takes longer may not take a core.
      await new Promise((resolve) => (turn < 50 ? setImmediate(resolve) : setTimeout(resolve, 1)));
    }
  }

  async leave(): Promise<void> {
    for (const client of this.#clients) client.close();
    if (this.#subject !== undefined) await within(this.#subject.close(), "the server to close");
  }
}

/** Fails when `promise` takes too long. */
export async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), DEADLINE);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
