/** Keeps the history of the last ten minutes: the server sends only the points that the page does not have yet. */
import type { HistoryReport } from "../control/stats.ts";

/** As long as the server's own history. */
export const KEPT_MS: number = 10 * 60_000;

type Values<T> = readonly T[];
type Group = HistoryReport["byClass"];

/** Returns `before` and the points of `news` after its end, without those that are older than ten minutes. */
export function joinHistory(before: HistoryReport | undefined, news: HistoryReport): HistoryReport {
  if (before === undefined || before.durations.bounds.join() !== news.durations.bounds.join()) return news;
  const last = before.time.at(-1) ?? Number.NEGATIVE_INFINITY;
  // Points after a gap in time may come again, from another arbiter.
  const fresh = news.time.findIndex((time) => time > last);
  const from = fresh === -1 ? news.time.length : fresh;
  const end = news.time.at(-1) ?? last;
  const start = before.time.findIndex((time) => time > end - KEPT_MS);
  const drop = start === -1 ? before.time.length : start;
  const join = <T>(old: Values<T> | undefined, next: Values<T> | undefined, filler: T): Values<T> => [
    ...(old?.slice(drop) ?? new Array<T>(before.time.length - drop).fill(filler)),
    ...(next?.slice(from) ?? new Array<T>(news.time.length - from).fill(filler)),
  ];
  const joinEach = (old: Group, next: Group): Group =>
    Object.fromEntries(
      [...new Set([...Object.keys(old), ...Object.keys(next)])].map((name) => [
        name,
        join(old[name], next[name], 0),
      ]),
    );
  const numbers = [...new Set([...before.slots, ...news.slots].map(({ slot }) => slot))].sort(
    (a, b) => a - b,
  );
  return {
    interval: news.interval,
    time: join(before.time, news.time, 0),
    byClass: joinEach(before.byClass, news.byClass),
    errorRatio: join(before.errorRatio, news.errorRatio, 0),
    p50: join(before.p50, news.p50, null),
    p90: join(before.p90, news.p90, null),
    p99: join(before.p99, news.p99, null),
    durations: {
      bounds: news.durations.bounds,
      counts: join(before.durations.counts, news.durations.counts, []),
    },
    queueP99: join(before.queueP99, news.queueP99, null),
    backlog: join(before.backlog, news.backlog, null),
    inFlight: join(before.inFlight, news.inFlight, 0),
    connections: join(before.connections, news.connections, 0),
    rejected: joinEach(before.rejected, news.rejected),
    starts: join(before.starts, news.starts, 0),
    exits: joinEach(before.exits, news.exits),
    slots: numbers.map((slot) => {
      const old = before.slots.find((each) => each.slot === slot);
      const next = news.slots.find((each) => each.slot === slot);
      return {
        slot,
        loopUtilization: join(old?.loopUtilization, next?.loopUtilization, null),
        loopDelayP99: join(old?.loopDelayP99, next?.loopDelayP99, null),
        pssBytes: join(old?.pssBytes, next?.pssBytes, null),
        cpu: join(old?.cpu, next?.cpu, null),
        gcShare: join(old?.gcShare, next?.gcShare, null),
      };
    }),
  };
}
