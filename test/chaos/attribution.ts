/**
 * Which process a lost request was in. A request may be lost with a process that was killed, and with no other; so each
 * failure is held against the deaths. Pure.
 */

/** A request, or a connection, that failed at a client. Times are milliseconds since the epoch. */
export interface Loss {
  readonly client: string;
  readonly kind: string;
  readonly text: string;
  readonly since: number;
  readonly at: number;
  /** The id of the request; undefined if none was sent. */
  readonly id: string | undefined;
  /** The workers whose answers had come on this connection before; undefined if none had, or a proxy was between. */
  readonly pid: number | undefined;
}

/** A process that ended while requests may have been in it. */
export interface Death {
  readonly pid: number;
  readonly at: number;
  /** Why requests may be lost with it, in words. */
  readonly why: string;
  /** The targets in flight, as its record lists them; undefined without a record, or with a list that is full. */
  readonly listed: readonly string[] | undefined;
}

/** Times in which no server was there: after an arbiter was killed, until the next one serves. */
export interface Gap {
  readonly from: number;
  readonly to: number;
}

export interface Evidence {
  /** Which processes ran a request, by its id. */
  readonly ran: ReadonlyMap<string, readonly number[]>;
  readonly deaths: readonly Death[];
  readonly gaps: readonly Gap[];
}

export type Verdict =
  /** The app had it, in a process that was killed. `isListed`: its record names it. */
  | { readonly by: "journal"; readonly death: Death; readonly isListed: boolean }
  /** It was on a connection of a process that was killed. */
  | { readonly by: "connection"; readonly death: Death }
  /** It was sent when a process was killed, and no app had it yet. */
  | { readonly by: "time"; readonly death: Death }
  /** There was no server. */
  | { readonly by: "gap" }
  | { readonly by: "nothing"; readonly why: string };

/** The client learns of a death a moment before or after it is seen. On a busy machine that takes a while. */
const SLACK_MS = 1500;

export function attribute(loss: Loss, { ran, deaths, gaps }: Evidence): Verdict {
  const during = (death: Death): boolean =>
    death.at >= loss.since - SLACK_MS && death.at <= loss.at + SLACK_MS;
  const pids = loss.id === undefined ? [] : (ran.get(loss.id) ?? []);
  const journal = deaths.find((death) => pids.includes(death.pid) && during(death));
  if (journal !== undefined) {
    const { listed } = journal;
    const isListed = listed === undefined || listed.some((target) => target.includes(`id=${loss.id}`));
    return { by: "journal", death: journal, isListed };
  }
  if (pids.length > 0) return { by: "nothing", why: `worker ${pids.join(", ")} ran it, and was not killed` };
  const holder = deaths.find((death) => death.pid === loss.pid && during(death));
  if (holder !== undefined) return { by: "connection", death: holder };
  if (gaps.some(({ from, to }) => loss.at >= from - SLACK_MS && loss.since <= to + SLACK_MS))
    return { by: "gap" };
  if (loss.kind === "refused") return { by: "nothing", why: "a server was there" };
  // The client learns of it at once; what comes later has another cause.
  const near = deaths.find((death) => during(death) && Math.abs(death.at - loss.at) <= SLACK_MS);
  if (near !== undefined) return { by: "time", death: near };
  return { by: "nothing", why: "no process was killed then" };
}
