/** Asks for the overview every two seconds, while somebody looks. */
import type { Overview } from "../control/dashboard/overview.ts";
import { overview, Refusal } from "./server.ts";

const INTERVAL_MS = 2000;
/** Reports that are late once happen; after this time the page says that the server does not answer. */
const SILENT_AFTER_MS = 4000;

export type Connection =
  | { readonly state: "connecting" | "live" | "paused" }
  /** `since`: of the last answer, in milliseconds since the epoch; undefined if there was none. */
  | { readonly state: "silent"; readonly since: number | undefined }
  | { readonly state: "login" }
  | { readonly state: "refused"; readonly message: string };

export interface PollerEvents {
  data(overview: Overview): void;
  connection(connection: Connection): void;
}

export class Poller {
  readonly #events: PollerEvents;
  #timer: number | undefined;
  /** The time of the last point of history. */
  #since = 0;
  #answered: number | undefined;
  #isAsking = false;

  constructor(events: PollerEvents) {
    this.#events = events;
    document.addEventListener("visibilitychange", () => this.#visible());
  }

  start(): void {
    this.#events.connection({ state: "connecting" });
    this.poll();
  }

  /** Asks now. */
  poll(): void {
    clearTimeout(this.#timer);
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#ask()
      .catch((error: unknown) => console.warn(error))
      .finally(() => {
        this.#isAsking = false;
        if (document.visibilityState === "visible") this.#timer = setTimeout(() => this.poll(), INTERVAL_MS);
      });
  }

  #visible(): void {
    if (document.visibilityState === "visible") {
      this.poll();
      return;
    }
    clearTimeout(this.#timer);
    this.#events.connection({ state: "paused" });
  }

  async #ask(): Promise<void> {
    let found: Overview;
    try {
      found = await overview(this.#since);
    } catch (error) {
      this.#failed(error);
      return;
    }
    this.#since = found.history.time.at(-1) ?? this.#since;
    this.#answered = Date.now();
    this.#events.data(found);
    this.#events.connection({ state: "live" });
  }

  #failed(error: unknown): void {
    if (error instanceof Refusal && error.status === 401) {
      this.#events.connection({ state: "login" });
    } else if (error instanceof Refusal && error.status < 500) {
      this.#events.connection({ state: "refused", message: error.message });
    } else if (this.#answered === undefined || Date.now() - this.#answered > SILENT_AFTER_MS) {
      this.#events.connection({ state: "silent", since: this.#answered });
    }
  }
}
