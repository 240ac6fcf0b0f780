/** The inspection of a running server by the control interface: implemented by the arbiter. */
import type { ConfigReport, EventReport, InFlightReport, InjectReport, LogReport } from "./stats.ts";

/** Kept records with those to come. */
export interface Followed<T> {
  /** Those that are kept, oldest first. */
  kept(after: number): readonly T[];
  /** Calls `each` with every record from now on; returns what ends that. */
  follow(each: (record: T) => void): () => void;
}

/** A request for one worker. */
export interface InjectRequest {
  /** By default any worker that is ready; both narrow the choice. */
  readonly slot: number | undefined;
  readonly pid: number | undefined;
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
  /** Milliseconds for the response. */
  readonly timeout: number;
}

export interface Inspectable {
  config(): ConfigReport;
  /** The requests in flight, oldest first. */
  requests(): Promise<InFlightReport[]>;
  /** @throws HttpError if no worker can be asked, or it does not answer */
  inject(request: InjectRequest): Promise<InjectReport>;
  readonly events: Followed<EventReport>;
  readonly logs: Followed<LogReport>;
}
