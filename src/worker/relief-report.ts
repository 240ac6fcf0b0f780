/** Logs that connections were closed to make room: neither the app nor, mostly, a client notices. */
import type { ErrorLog } from "../log/error-log.ts";
import { RateLimit } from "../log/rate-limit.ts";
import type { Relief } from "../server/places/place-keeper.ts";
import type { Wait } from "../server/places/policy.ts";

/** How connections are called by what they were waited for. */
const WORDS: Readonly<Record<Wait, string>> = {
  end: "whose clients had not closed them",
  "first byte": "without a byte",
  front: "without a TLS handshake or PROXY header",
  head: "with a slow request head",
  "next request": "idle",
  content: "with a slow request body",
  reader: "reading too slowly",
};

/** @param now milliseconds of a monotonic clock */
export function reliefReporter(log: Pick<ErrorLog, "warning">, now?: () => number): (relief: Relief) => void {
  const lines = new RateLimit(now);
  const closed = new Map<Wait, number>();
  return (relief) => {
    for (const [wait, count] of relief) closed.set(wait, (closed.get(wait) ?? 0) + count);
    if (!lines.allows()) return;
    const total = [...closed.values()].reduce((sum, count) => sum + count, 0);
    const kinds = [...closed].map(([wait, count]) => `${count} ${WORDS[wait]}`).join(", ");
    closed.clear();
    const connections = total === 1 ? "1 connection" : `${total} connections`;
    log.warning(
      `This worker runs out of places and has closed ${connections}: ${kinds}; if these are legitimate clients, raise --worker-connections or the limit of open files`,
    );
  };
}
