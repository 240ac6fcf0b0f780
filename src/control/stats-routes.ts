/** The routes of the server's figures: as data, and as text for Prometheus. */
import { HttpError } from "../errors.ts";
import type { Route } from "./json-server.ts";
import type { HistoryReport, StatsReport } from "./stats.ts";

/** The figures of a running server, implemented by the arbiter. */
export interface Measured {
  stats(): Promise<StatsReport>;
  /** @param since only points after this time, in milliseconds since the epoch */
  history(since: number): Promise<HistoryReport>;
  /** In the format that `accept`, the field of that name, prefers. */
  metrics(accept: string | undefined): Promise<{ readonly type: string; readonly text: string }>;
}

export function statsRoutes(target: Measured): Route[] {
  return [
    {
      method: "GET",
      path: "/stats",
      audience: "reader",
      handle: async () => ({ status: 200, body: await target.stats() }),
    },
    {
      method: "GET",
      path: "/listeners",
      audience: "reader",
      handle: async () => ({ status: 200, body: (await target.stats()).listeners }),
    },
    {
      method: "GET",
      path: "/history",
      audience: "reader",
      handle: async (_parameters, _body, { query }) => ({
        status: 200,
        body: await target.history(timeOf(query.get("since"))),
      }),
    },
    {
      method: "GET",
      path: "/metrics",
      audience: "probe",
      handle: async (_parameters, _body, { headers }) => ({
        status: 200,
        ...(await target.metrics(headers.accept)),
      }),
    },
  ];
}

function timeOf(text: string | null): number {
  if (text === null) return 0;
  if (/^\d{1,15}(\.\d+)?$/.test(text)) return Number(text);
  throw new HttpError(400, `since is a time in milliseconds since the epoch, not ${JSON.stringify(text)}`);
}
