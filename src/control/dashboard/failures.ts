/** Limits how often a client may give a wrong token. */

/** Wrong tokens of one address in a minute. */
export const MAX_FAILURES = 10;
const WINDOW_MS = 60_000;
/** Addresses that are remembered; the one that failed longest ago is forgotten first. */
const MAX_ADDRESSES = 1000;

interface Count {
  readonly since: number;
  readonly failures: number;
}

export class Failures {
  readonly #counts = new Map<string, Count>();

  /** Milliseconds until this address may try again; 0 for now. */
  waitOf(address: string, now: number): number {
    const count = this.#counts.get(networkOf(address));
    if (count === undefined || count.failures < MAX_FAILURES) return 0;
    return Math.max(0, count.since + WINDOW_MS - now);
  }

  add(address: string, now: number): void {
    const network = networkOf(address);
    const before = this.#counts.get(network);
    const isOpen = before !== undefined && now - before.since < WINDOW_MS;
    this.#counts.delete(network);
    this.#counts.set(
      network,
      isOpen ? { ...before, failures: before.failures + 1 } : { since: now, failures: 1 },
    );
    if (this.#counts.size <= MAX_ADDRESSES) return;
    const [oldest = ""] = this.#counts.keys();
    this.#counts.delete(oldest);
  }
}

/** One subscriber has 2^64 addresses of IPv6. */
function networkOf(address: string): string {
  if (!address.includes(":") || address.startsWith("::ffff:")) return address;
  const [front = ""] = address.split("::");
  const groups = front.split(":");
  return [0, 1, 2, 3].map((index) => groups[index] || "0").join(":");
}
