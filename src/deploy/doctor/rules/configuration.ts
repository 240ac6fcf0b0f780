/** Settings that conflict, or that are unsuitable for production. */
import { formatAddress } from "../../../config/address.ts";
import { formatDuration } from "../../../config/number-kind.ts";
import { describeWithoutEffect, settingsWithoutEffect } from "../../../config/without-effect.ts";
import { isLoopback } from "../bound-addresses.ts";
import { type Facts, settingPlace } from "../facts.ts";
import type { Match, Rule } from "../finding.ts";

function requestLonger(facts: Facts): Match[] {
  const { requestTimeout, gracefulTimeout } = facts.config;
  if (requestTimeout === 0 || requestTimeout <= gracefulTimeout) return [];
  const what = `a request may take ${formatDuration(requestTimeout)} (request-timeout), but a stopping worker has only ${formatDuration(gracefulTimeout)}`;
  return [{ where: settingPlace(facts, "gracefulTimeout"), what }];
}

function trustsEveryPeer(facts: Facts): Match[] {
  const open = facts.bound.filter((address) => address.kind === "tcp" && !isLoopback(address.host));
  if (!facts.config.forwardedAllowIps.includes("*") || open.length === 0) return [];
  const what = `every peer is trusted, and tsgun listens at ${open.map(formatAddress).join(", ")}`;
  return [{ where: settingPlace(facts, "forwardedAllowIps"), what }];
}

function isOn(facts: Facts, name: "showErrors" | "reload"): Match[] {
  return facts.config[name] ? [{ where: settingPlace(facts, name), what: "it is on" }] : [];
}

function missesSetting(facts: Facts): Match[] {
  return settingsWithoutEffect(facts.config).map((name) => ({
    where: settingPlace(facts, name),
    what: describeWithoutEffect(name),
  }));
}

export const CONFIGURATION: readonly Rule[] = [
  {
    id: "config-request-timeout",
    level: "warning",
    title: "`request-timeout` is longer than `graceful-timeout`",
    breaks: "Every reload, restart and recycling cuts requests that take that long.",
    mend: "make graceful-timeout at least as long as request-timeout, and the stop timeouts of systemd and Kubernetes longer still",
    check: requestLonger,
  },
  {
    id: "config-trust-everybody",
    level: "warning",
    title: "`forwarded-allow-ips` is `*`, and other machines can reach the server",
    breaks: "A client that bypasses the proxy can forge its address, host and scheme.",
    mend: "list the proxies' addresses, or bind to an address that only they can reach",
    check: trustsEveryPeer,
  },
  {
    id: "config-show-errors",
    level: "error",
    title: "`show-errors` is on",
    breaks: "Strangers see stacks of your code.",
    mend: "remove it; tsgun dev turns it on",
    check: (facts) => isOn(facts, "showErrors"),
  },
  {
    id: "config-reload",
    level: "warning",
    title: "`reload` is on",
    breaks: "A deployment reloads half-copied code, once for each burst of files.",
    mend: "remove it, and reload when the new version is complete: tsgun ctl reload",
    check: (facts) => isOn(facts, "reload"),
  },
  {
    id: "config-without-effect",
    level: "warning",
    title: "a setting qualifies another one that is not set, such as `never-shed` without `max-in-flight`",
    breaks:
      "What it asks for does not happen: no request is refused under overload, no log line goes to the given syslog server.",
    mend: "set the other one as well, or remove it",
    check: missesSetting,
  },
];
