/** The table of all routes of a server; who may use which is said with each. It is loaded when an endpoint opens. */
import type { Controllable } from "../../control/api.ts";
import type { Recorded } from "../../control/death-routes.ts";
import type { Route } from "../../control/json-server.ts";
import type { Measured } from "../../control/stats-routes.ts";
import type { InspectionParts } from "./inspection.ts";

/** The parts of the arbiter behind the routes. */
export interface RouteParts extends InspectionParts {
  readonly commands: Controllable;
  readonly measured: Measured;
  readonly blackBox: Recorded;
}

export async function routeTable(parts: RouteParts): Promise<readonly Route[]> {
  const { loadLate } = await import("../../control/late-load.ts");
  const { controlRoutes } = await import("../../control/routes.ts");
  const { inspectionRoutes } = await import("../../control/inspection-routes.ts");
  const { deathRoutes } = await import("../../control/death-routes.ts");
  const { statsRoutes } = await import("../../control/stats-routes.ts");
  const inspection = loadLate(async () => {
    const { Inspection } = await import("./inspection.ts");
    return new Inspection(parts);
  });
  return [
    ...controlRoutes(parts.commands),
    ...statsRoutes(parts.measured),
    ...deathRoutes(parts.blackBox),
    ...inspectionRoutes(inspection),
  ];
}
