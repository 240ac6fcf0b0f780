/** The routes that look into a running worker. Their code in the arbiter is loaded with the first request. */
import { HttpError } from "../errors.ts";
import { type Examinable, MAX_STACK_WAIT_SECONDS, PROFILE_SECONDS, TRACE_MINUTES } from "./examination.ts";
import type { Route } from "./json-server.ts";
import { objectMember, processId } from "./request-values.ts";

interface Range {
  readonly least: number;
  readonly most: number;
}

function wholeNumber(value: unknown, { least, most }: Range, how: string): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
  throw new HttpError(400, `${how} is a whole number from ${least} to ${most}`);
}

/** A number of the query; `otherwise` if it is not there. */
function queried(query: URLSearchParams, name: string, range: Range, otherwise: number): number {
  const text = query.get(name);
  if (text === null) return otherwise;
  return wholeNumber(/^\d+$/.test(text) ? Number(text) : undefined, range, name);
}

/** The requests of `tsgun ctl stack`, `profile`, `heap` and `trace`. */
export function examinationRoutes(load: () => Promise<Examinable>): Route[] {
  return [
    {
      method: "GET",
      path: "/workers/:pid/stack",
      handle: async ({ pid }, _body, { query, gone }) => {
        const seconds = queried(query, "wait", { least: 0, most: MAX_STACK_WAIT_SECONDS }, 0);
        const id = processId(pid);
        return { status: 200, body: await (await load()).stack(id, seconds * 1000, gone) };
      },
    },
    {
      method: "POST",
      path: "/workers/:pid/profile",
      handle: async ({ pid }, body, { gone }) => {
        const given = objectMember(body, "seconds") ?? PROFILE_SECONDS.default;
        const seconds = wholeNumber(given, PROFILE_SECONDS, 'send {"seconds": N}, N');
        const id = processId(pid);
        const text = await (await load()).profile(id, seconds, gone);
        return { status: 200, type: "application/json", text };
      },
    },
    {
      method: "GET",
      path: "/workers/:pid/heap",
      handle: async ({ pid }, _body, { gone }) => {
        const id = processId(pid);
        return { status: 200, body: await (await load()).heapCost(id, gone) };
      },
    },
    {
      method: "POST",
      path: "/workers/:pid/heap",
      handle: async ({ pid }, _body, { gone }) => {
        const id = processId(pid);
        const content = await (await load()).heap(id, gone);
        return { status: 200, type: "application/json", content };
      },
    },
    {
      method: "GET",
      path: "/trace",
      handle: async (_parameters, _body, { query, gone }) => {
        const minutes = queried(query, "minutes", TRACE_MINUTES, TRACE_MINUTES.default);
        return { status: 200, body: await (await load()).trace(minutes, gone) };
      },
    },
  ];
}
