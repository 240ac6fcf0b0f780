/** A published vulnerability of another server or parser, and the case that shows that tsgun does not have it. */

export interface Advisory {
  /** The numbers: one cause may have several. */
  readonly cve: readonly string[];
  readonly product: string;
  /** The fault, in one sentence. */
  readonly was: string;
  /** The sections that decide the case. */
  readonly clause: string;
}

/** Bytes of a client, Latin-1, and what an app may see of them. */
export interface RequestCase extends Advisory {
  readonly bytes: string;
  /** The requests that an app sees, as `METHOD target content`. What was smuggled is not among them. */
  readonly sees: readonly string[];
  /** The status of the refusal behind them; undefined if nothing is refused. */
  readonly refused?: number;
  /** Where node's parser differs, within docs/http.md. */
  readonly node?: { readonly sees?: readonly string[]; readonly refused?: number | "nothing" };
}

/** Fields that an app sets, from a client's input. */
export interface ResponseCase extends Advisory {
  readonly field: readonly [name: string, value: string];
}

/** Held by a test of its own: a flood, a slow client, or another protocol. */
export interface HeldElsewhere extends Advisory {
  /** The path of the test. */
  readonly test: string;
}
