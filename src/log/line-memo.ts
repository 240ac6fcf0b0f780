/** The parts of a connection's latest access log line that the next one is likely to have too. */

/** A text made of values, and those values. */
export interface KeptText {
  readonly values: readonly unknown[];
  readonly text: string;
  /** How often in a row the values were others. */
  misses: number;
}

type Texts = (KeptText | undefined)[];

const NONE: Texts = [];

/** One for each connection: most of its lines begin and end as the one before. */
export class LineMemo {
  texts: readonly (KeptText | undefined)[] = NONE;

  keep(index: number, text: KeptText): void {
    // Exactly as many places as are used: an array that grows by itself gets 16 more, for each idle connection.
    if (index >= this.texts.length) this.texts = copyOf(this.texts, index + 1);
    (this.texts as Texts)[index] = text;
  }
}

function copyOf(texts: readonly (KeptText | undefined)[], length: number): Texts {
  const copy: Texts = new Array(length).fill(undefined);
  for (let index = 0; index < texts.length; index++) copy[index] = texts[index];
  return copy;
}
