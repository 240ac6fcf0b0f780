/** The PROXY protocol, which both sides must speak, or neither. */
import { formatAddress } from "../../../config/address.ts";
import { isLoopback, ownProxyPasses, pointsHere } from "../bound-addresses.ts";
import { type Facts, settingPlace } from "../facts.ts";
import { formatFileLine } from "../file-line.ts";
import type { Match, Rule } from "../finding.ts";
import { isAmong, peersOf } from "../nginx-peers.ts";
import { effective, lineOfDirective, type ProxyPass } from "../nginx-sites.ts";

/** Ranges that hold every address. */
const EVERYBODY = ["*", "0.0.0.0/0", "::/0"];

function sendsHeader(proxyPass: ProxyPass): boolean {
  return effective(proxyPass, "proxy_protocol")?.args[0] === "on";
}

function ownStreams(facts: Facts): ProxyPass[] {
  return facts.nginx.streamPasses.filter((streamPass) => pointsHere(streamPass, facts));
}

/** Whether a header is required from the peer that nginx is; undefined if that cannot be determined on this machine. */
function isRequired(proxyPass: ProxyPass, facts: Facts): boolean | undefined {
  const { proxyProtocol, proxyAllowFrom } = facts.config;
  if (proxyProtocol === "off") return false;
  const answers = peersOf(proxyPass, facts).map((peer) => isAmong(proxyAllowFrom, peer));
  return answers.includes(true) ? true : answers.includes(undefined) ? undefined : false;
}

function headerMissing(facts: Facts): Match[] {
  const place = settingPlace(facts, "proxyProtocol");
  const streams = ownStreams(facts).filter((streamPass) => !sendsHeader(streamPass));
  // nginx speaks HTTP to a proxy_pass with a scheme, and sends no header there.
  const sites = facts.nginx.proxyPasses.length === 0 ? [] : ownProxyPasses(facts);
  return [...sites, ...streams]
    .filter((proxyPass) => isRequired(proxyPass, facts) === true)
    .map((proxyPass) => ({
      where: formatFileLine(proxyPass.place),
      what: `${proxyPass.location} sends no PROXY header, which ${place} requires from nginx: it is among proxy-allow-from`,
      ...(streams.includes(proxyPass) && { mend: "write proxy_protocol on; next to proxy_pass" }),
    }));
}

function headerUnread(facts: Facts): Match[] {
  const { proxyProtocol } = facts.config;
  return ownStreams(facts)
    .filter(sendsHeader)
    .flatMap((streamPass): Match[] => {
      const where = lineOfDirective(streamPass, effective(streamPass, "proxy_protocol"));
      if (proxyProtocol === "v2")
        return [
          {
            where,
            what: `nginx sends PROXY headers of version 1, and ${settingPlace(facts, "proxyProtocol")} is v2`,
            mend: "set proxy-protocol to v1",
          },
        ];
      if (isRequired(streamPass, facts) !== false) return [];
      if (proxyProtocol === "off")
        return [
          { where, what: `nginx sends PROXY headers, and ${settingPlace(facts, "proxyProtocol")} is off` },
        ];
      const what = `nginx sends PROXY headers, but is not among ${settingPlace(facts, "proxyAllowFrom")}`;
      return [{ where, what, mend: "add nginx to proxy-allow-from" }];
    });
}

function believesEverybody(facts: Facts): Match[] {
  const { proxyProtocol, proxyAllowFrom } = facts.config;
  const open = facts.bound.filter((address) => address.kind === "tcp" && !isLoopback(address.host));
  const widest = proxyAllowFrom.find((entry) => EVERYBODY.includes(entry));
  if (proxyProtocol === "off" || widest === undefined || open.length === 0) return [];
  const what = `the PROXY header of every peer is believed (${widest}), and tsgun listens at ${open.map(formatAddress).join(", ")}`;
  return [{ where: settingPlace(facts, "proxyAllowFrom"), what }];
}

export const PROXY_PROTOCOL: readonly Rule[] = [
  {
    id: "nginx-proxy-header-missing",
    level: "error",
    title: "`proxy-protocol` is on, and nginx, which is among `proxy-allow-from`, sends no PROXY header",
    breaks: "tsgun closes every connection of nginx: every request gets 502.",
    mend: "set proxy-protocol to off, or leave nginx out of proxy-allow-from: its http module sends X-Forwarded-For instead",
    check: headerMissing,
  },
  {
    id: "nginx-proxy-header-unread",
    level: "error",
    title: "nginx's stream module sends PROXY headers (`proxy_protocol on`) that tsgun does not expect",
    breaks: "tsgun takes the header for a malformed request: every connection gets 400.",
    mend: "set proxy-protocol to v1, or remove proxy_protocol",
    check: headerUnread,
  },
  {
    id: "config-proxy-everybody",
    level: "warning",
    title: "`proxy-allow-from` has every address, and other machines can reach the server",
    breaks: "A client that bypasses the balancer can claim any address.",
    mend: "list the balancers' addresses, or bind to an address that only they can reach",
    check: believesEverybody,
  },
];
