/** Shared by the rules about services. */
import type { Facts, Service } from "../facts.ts";
import type { Match } from "../finding.ts";
import type { Unit } from "../systemd-unit.ts";

/** Reports each service for which `what` returns a finding, at the first of `keys` that its unit sets. */
export function eachService(
  facts: Facts,
  keys: readonly string[],
  what: (service: Service) => string | Omit<Match, "where"> | undefined,
): Match[] {
  return facts.services.flatMap((service): Match[] => {
    const found = what(service);
    if (found === undefined) return [];
    const where = service.unit.where("Service", ...keys);
    return [typeof found === "string" ? { where, what: found } : { where, ...found }];
  });
}

export function notifies(unit: Unit): boolean {
  return unit.type === "notify" || unit.type === "notify-reload";
}
