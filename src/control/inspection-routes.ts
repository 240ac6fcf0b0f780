/** The routes that show a running server: events as data or as a stream. */
import { HttpError } from "../errors.ts";
import type { Followed, Inspectable } from "./inspection.ts";
import type { Route } from "./json-server.ts";
import type { Asked, Reply } from "./reply.ts";

export function inspectionRoutes(target: Inspectable): Route[] {
  return [
    {
      method: "GET",
      path: "/events",
      audience: "reader",
      handle: (_parameters, _body, asked) => recordsOf(target.events, asked),
    },
  ];
}

/** The records after `?since=N`; with `?follow=1` those to come as well. */
function recordsOf<T>(records: Followed<T>, { query, follows }: Asked): Reply {
  const since = sinceOf(query);
  if (!follows) return { status: 200, body: records.kept(since) };
  return {
    status: 200,
    follow(sink) {
      for (const record of records.kept(since)) sink.send(record);
      return records.follow((record) => sink.send(record));
    },
  };
}

function sinceOf(query: URLSearchParams): number {
  const text = query.get("since") ?? "0";
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new HttpError(
    400,
    `since is the number of the last record that you have, not ${JSON.stringify(text)}`,
  );
}
