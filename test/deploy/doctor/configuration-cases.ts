/** tsgun's settings alone. */
import type { Case } from "./rule-case.ts";

export const CONFIGURATION_CASES: readonly Case[] = [
  {
    rule: "config-request-timeout",
    what: "requests longer than a stop",
    ill: { config: { requestTimeout: "2m" } },
    well: { config: { requestTimeout: "2m", gracefulTimeout: "2m" } },
    where: "graceful-timeout (default)",
    says: /may take 120s .* has only 30s/,
  },
  {
    rule: "config-trust-everybody",
    what: "at an address for every machine",
    ill: { config: { forwardedAllowIps: "*", bind: "0.0.0.0:8000" } },
    well: { config: { forwardedAllowIps: "*" } },
    where: "forwarded-allow-ips (tsgun.config.ts)",
    says: /listens at 0\.0\.0\.0:8000/,
  },
  {
    rule: "config-show-errors",
    what: "on",
    ill: { config: { showErrors: true } },
    well: {},
    where: "show-errors (tsgun.config.ts)",
    says: /on/,
  },
  {
    rule: "config-reload",
    what: "on",
    ill: { config: { reload: true } },
    well: {},
    where: "reload (tsgun.config.ts)",
    says: /on/,
  },
  {
    rule: "config-without-effect",
    what: "paths that are never shed, and no limit",
    ill: { config: { neverShed: "/healthz" } },
    well: { config: { neverShed: "/healthz", maxInFlight: 50 } },
    where: "never-shed (tsgun.config.ts)",
    says: /no effect without max-in-flight/,
  },
];
