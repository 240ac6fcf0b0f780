/** The routes that show a running server: requests, settings, events as data or as a stream. */
import { HttpError } from "../errors.ts";
import type { Followed, Inspectable } from "./inspection.ts";
import type { Route } from "./json-server.ts";
import type { Asked, Reply } from "./reply.ts";
import { withoutQuery } from "./request-values.ts";
import type { InFlightReport } from "./stats.ts";

/** @param load loads what answers at the first request: a start must not wait for it */
export function inspectionRoutes(load: () => Promise<Inspectable>): Route[] {
  return [
    {
      method: "GET",
      path: "/requests",
      audience: "reader",
      redact: withoutQueries,
      handle: async () => ({ status: 200, body: await (await load()).requests() }),
    },
    {
      method: "POST",
      path: "/inject",
      handle: async (_parameters, body) => {
        const { parseInjectRequest } = await import("./inject-request.ts");
        const request = parseInjectRequest(body);
        return { status: 200, body: await (await load()).inject(request) };
      },
    },
    {
      method: "GET",
      path: "/config",
      handle: async () => ({ status: 200, body: (await load()).config() }),
    },
    {
      method: "GET",
      path: "/events",
      audience: "reader",
      handle: async (_parameters, _body, asked) => recordsOf((await load()).events, asked),
    },
    // Not for readers: an app may write anything, and the arbiter logs stacks.
    {
      method: "GET",
      path: "/logs",
      handle: async (_parameters, _body, asked) => recordsOf((await load()).logs, asked),
    },
  ];
}

function withoutQueries(reply: Reply): Reply {
  if (!("body" in reply)) return reply;
  const requests = reply.body as readonly InFlightReport[];
  return {
    ...reply,
    body: requests.map((each) => ({ ...each, target: withoutQuery(each.target) })),
  };
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
