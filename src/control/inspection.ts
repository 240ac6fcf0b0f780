/** What the control interface shows of a running server, beside its state: implemented by the arbiter. */
import type { EventReport } from "./stats.ts";

/** Kept records with those to come. */
export interface Followed<T> {
  /** Those that are kept, oldest first. */
  kept(after: number): readonly T[];
  /** Calls `each` with every record from now on; returns what ends that. */
  follow(each: (record: T) => void): () => void;
}

export interface Inspectable {
  readonly events: Followed<EventReport>;
}
