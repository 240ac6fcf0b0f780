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
];
