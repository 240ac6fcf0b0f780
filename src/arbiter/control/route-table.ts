/** The table of all routes of a server; who may use which is said with each. It is loaded when an endpoint opens. */
import type { Controllable } from "../../control/api.ts";
import type { Route } from "../../control/json-server.ts";
import type { ServerEvents } from "../logs/server-events.ts";

/** The parts of the arbiter behind the routes. */
export interface RouteParts {
  readonly commands: Controllable;
  readonly events: ServerEvents;
}

export async function routeTable({ commands, events }: RouteParts): Promise<readonly Route[]> {
  const { controlRoutes } = await import("../../control/routes.ts");
  const { inspectionRoutes } = await import("../../control/inspection-routes.ts");
  return [
    ...controlRoutes(commands),
    ...inspectionRoutes({
      events: { kept: (after) => events.log.since(after), follow: (each) => events.log.follow(each) },
    }),
  ];
}
