/**
 * Chooses the connections that lose their place when a worker runs out of them. Pure: from what each connection waits for,
 * and how late its client is with it, to those that are closed.
 *
 * The order goes from what costs the client nothing to what costs it a response. Within a kind the latest goes first, so
 * that a client that has just come is the last. Each kind has a time that an ordinary client stays below, and no connection
 * is closed before: not even when that means that new clients wait. Where that time is long, because lines get stuck, it is
 * short for clients that have never been on time, once places are tight: a thousand of them come within it.
 *
 * Never closed are connections whose app works on a response or has taken the connection over, and clients that keep up.
 */

/** The event that the server waits for on a connection: for the client's end after its last response, for the first byte, … */
export type Wait = "end" | "first byte" | "front" | "head" | "next request" | "content" | "reader";

/** A connection on which the client is to do something. */
export interface Standing {
  readonly wait: Wait;
  /** Milliseconds that the client is late: since when it has been waited for, less what it has earned by its bytes. */
  readonly late: number;
  /** Whether it was on time when it last sent or took something. Default: no, or it has had nothing to do yet. */
  readonly steady?: boolean;
}

/** How scarce places are: most of those are free that are kept for others, or less than half of them, or none. */
export type Scarcity = (typeof SCARCITIES)[number];

export const SCARCITIES = ["scarce", "tight", "full"] as const;

interface Rule {
  readonly wait: Wait;
  /** From this lateness on it may be closed, in milliseconds. */
  readonly from: number;
  /** The same for a client that has not been steady, once places are tight. Default: `from`. */
  readonly tight?: number;
  /** Whether it is closed as soon as places get scarce. Others keep theirs until there is none left. */
  readonly early: boolean;
}

/** In the order in which they go. */
export const RULES: readonly Rule[] = [
  // It has its response, and is only kept so that no reset overtakes that.
  { wait: "end", from: 500, early: true },
  // A client sends its first bytes with, or right behind, the last packet of the handshake.
  { wait: "first byte", from: 500, early: true },
  // The PROXY header and the handshake of TLS: two round trips.
  { wait: "front", from: 1000, early: true },
  { wait: "head", from: 1000, tight: 500, early: true },
  // Connections of a trusted proxy are spared: it may be sending, and does not repeat a POST. Other clients repeat what they can.
  { wait: "next request", from: 5000, early: false },
  { wait: "content", from: 5000, tight: 1000, early: true },
  // The kernel's buffer takes the bytes of a slow line in lumps, so nothing may move for a while.
  { wait: "reader", from: 5000, tight: 1000, early: true },
];

const RANKS = new Map(RULES.map(({ wait }, rank) => [wait, rank]));

export interface Candidate<Occupant> extends Standing {
  readonly occupant: Occupant;
}

export interface Choice<Occupant> {
  readonly chosen: readonly Candidate<Occupant>[];
  /** Milliseconds until one more may be chosen, if its client does nothing; undefined if none is waited for. */
  readonly nextIn: number | undefined;
}

/**
 * @param wanted how many places should become free
 */
export function choose<Occupant>(
  candidates: Iterable<Candidate<Occupant>>,
  wanted: number,
  scarcity: Scarcity,
): Choice<Occupant> {
  const byRank: Candidate<Occupant>[][] = RULES.map(() => []);
  let nextIn: number | undefined;
  for (const candidate of candidates) {
    const rank = RANKS.get(candidate.wait) as number;
    const { from: usual, tight = usual, early } = RULES[rank] as Rule;
    if (!early && scarcity !== "full") continue;
    const from = scarcity === "scarce" || candidate.steady === true ? usual : tight;
    if (candidate.late >= from) byRank[rank]?.push(candidate);
    else nextIn = Math.min(nextIn ?? Number.POSITIVE_INFINITY, from - candidate.late);
  }
  const chosen: Candidate<Occupant>[] = [];
  for (const those of byRank) {
    if (chosen.length >= wanted) break;
    those.sort((a, b) => b.late - a.late);
    chosen.push(...those.slice(0, wanted - chosen.length));
  }
  return { chosen, nextIn };
}
