/** Shared by the rules about services. */
import type { Facts, Service } from "../facts.ts";
import type { Found } from "../finding.ts";
import type { Unit } from "../systemd-unit.ts";

/** Reports each service for which `what` returns a finding, at the first of `keys` that its unit sets. */
export function eachService(
  facts: Facts,
  keys: readonly string[],
  what: (service: Service) => string | Omit<Found, "where"> | undefined,
): Found[] {
  return facts.services.flatMap((service): Found[] => {
    const found = what(service);
    if (found === undefined) return [];
    const where = service.unit.where("Service", ...keys);
    return [typeof found === "string" ? { where, what: found } : { where, ...found }];
  });
}

export function notifies(unit: Unit): boolean {
  return unit.type === "notify" || unit.type === "notify-reload";
}
