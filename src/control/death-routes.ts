/** The routes of the records of workers that have ended. */
import { HttpError } from "../errors.ts";
import type { Route } from "./json-server.ts";
import type { DeathReport, DeathStory } from "./stats.ts";

/** The records of this server, implemented by the arbiter. Both reject with an HttpError 404 if none are kept. */
export interface Recorded {
  /** The newest first. */
  list(): Promise<readonly DeathReport[]>;
  /** Undefined if there is no such record. @param id as in the list, or the pid of a worker, for its newest record */
  find(id: string): Promise<DeathStory | undefined>;
}

export function deathRoutes(target: Recorded): Route[] {
  return [
    {
      method: "GET",
      path: "/deaths",
      audience: "reader",
      handle: async () => ({ status: 200, body: await target.list() }),
    },
    {
      // It has stacks and lines of standard error: for operators alone.
      method: "GET",
      path: "/deaths/:id",
      handle: async ({ id = "" }) => {
        const story = await target.find(id);
        if (story === undefined) throw new HttpError(404, `there is no record ${id}: GET /deaths lists them`);
        return { status: 200, body: story };
      },
    },
  ];
}
