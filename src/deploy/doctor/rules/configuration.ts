/** Settings that conflict, or that are unsuitable for production. */
import { formatAddress } from "../../../config/address.ts";
import { formatDuration } from "../../../config/number-kind.ts";
import { isLoopback } from "../bound-addresses.ts";
import { type Facts, settingPlace } from "../facts.ts";
import type { Found, Rule } from "../finding.ts";

function requestLonger(facts: Facts): Found[] {
  const { requestTimeout, gracefulTimeout } = facts.config;
  if (requestTimeout === 0 || requestTimeout <= gracefulTimeout) return [];
  const what = `a request may take ${formatDuration(requestTimeout)} (request-timeout), a worker that stops has ${formatDuration(gracefulTimeout)}`;
  return [{ where: settingPlace(facts, "gracefulTimeout"), what }];
}

function trustsEveryPeer(facts: Facts): Found[] {
  const open = facts.bound.filter((address) => address.kind === "tcp" && !isLoopback(address.host));
  if (!facts.config.forwardedAllowIps.includes("*") || open.length === 0) return [];
  const what = `everybody is believed, and tsgun listens at ${open.map(formatAddress).join(", ")}`;
  return [{ where: settingPlace(facts, "forwardedAllowIps"), what }];
}

function isOn(facts: Facts, name: "showErrors" | "reload"): Found[] {
  return facts.config[name] ? [{ where: settingPlace(facts, name), what: "it is on" }] : [];
}

export const CONFIGURATION: readonly Rule[] = [
  {
    id: "config-request-timeout",
    level: "warning",
    title: "`request-timeout` is above `graceful-timeout`",
    breaks: "Requests that may take that long are cut by every reload, restart and recycling.",
    mend: "let graceful-timeout be at least request-timeout (and what systemd or Kubernetes wait for a stop longer still)",
    check: requestLonger,
  },
  {
    id: "config-trust-everybody",
    level: "warning",
    title: "`forwarded-allow-ips` is `*`, at an address that other machines reach",
    breaks: "Whoever reaches the server past the proxy says who it is, and is believed.",
    mend: "name the proxies' addresses, or bind an address that only they reach",
    check: trustsEveryPeer,
  },
  {
    id: "config-show-errors",
    level: "error",
    title: "`show-errors` is on",
    breaks: "Strangers are shown stacks of your code.",
    mend: "leave it out; tsgun dev has it on",
    check: (facts) => isOn(facts, "showErrors"),
  },
  {
    id: "config-reload",
    level: "warning",
    title: "`reload` is on",
    breaks: "A deploy reloads half-copied code, once for each burst of files.",
    mend: "leave it out, and reload when the new version is whole: tsgun ctl reload",
    check: (facts) => isOn(facts, "reload"),
  },
];
