/** The parts of a connection's latest access log line that the next one is likely to have too. */

/** A text made of values, and those values. */
export interface KeptText {
  readonly values: readonly unknown[];
  readonly text: string;
  /** How often in a row the values were others. */
  misses: number;
}

/** One for each connection: most of its lines begin and end as the one before. */
export class LineMemo {
  readonly texts: (KeptText | undefined)[] = [];
}
