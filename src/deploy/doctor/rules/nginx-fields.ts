/** The forwarded fields that nginx sets, and whether tsgun trusts them. */
import type { ForwardedField } from "../../../gateway/proxies.ts";
import { formatUpstream, isLoopback, isWildcardHost, ownProxyPasses } from "../bound-addresses.ts";
import { type Facts, settingPlace } from "../facts.ts";
import { formatFileLine } from "../file-line.ts";
import type { Match, Rule } from "../finding.ts";
import { isAmong, peersOf } from "../nginx-peers.ts";
import { fieldsOf, type ProxyPass } from "../nginx-sites.ts";

/** These have rules of their own. */
const ESSENTIAL: readonly ForwardedField[] = ["x-forwarded-for", "x-forwarded-proto"];

/** Formats a field's name as usually written: `X-Forwarded-For`. */
function fieldName(field: string): string {
  return field.replaceAll(/(?:^|-)[a-z]/g, (letter) => letter.toUpperCase()).replace("-Id", "-ID");
}

/** Whether nginx sets or clears the field, rather than passing on the client's. */
function isSet(proxyPass: ProxyPass, field: string): boolean {
  const value = fieldsOf(proxyPass).get(field);
  return value !== undefined && value !== `$http_${field.replaceAll("-", "_")}`;
}

function hostMissing(facts: Facts): Match[] {
  return ownProxyPasses(facts)
    .filter((proxyPass) => [undefined, "", "$proxy_host"].includes(fieldsOf(proxyPass).get("host")))
    .map(({ place, location }) => ({
      where: formatFileLine(place),
      what: `${location} does not forward the requested host`,
    }));
}

/** Makes the check for one of the two fields that every proxy has to set. */
function unset(field: ForwardedField): (facts: Facts) => Match[] {
  return (facts) => {
    if (!facts.config.forwardedHeaders.includes(field)) return [];
    return ownProxyPasses(facts)
      .filter((proxyPass) => !isSet(proxyPass, field))
      .map(({ place, location }) => ({
        where: formatFileLine(place),
        what: `${location} does not set ${fieldName(field)}`,
      }));
  };
}

function forgeable(facts: Facts): Match[] {
  return ownProxyPasses(facts).flatMap((proxyPass): Match[] => {
    const believed = facts.config.forwardedHeaders.filter((field) => !ESSENTIAL.includes(field));
    const open = believed.filter((field) => !isSet(proxyPass, field)).map(fieldName);
    if (
      open.length === 0 ||
      peersOf(proxyPass, facts).some((peer) => isAmong(facts.config.forwardedAllowIps, peer) === false)
    )
      return [];
    const lines = open.map((name) => `proxy_set_header ${name} "";`).join(" ");
    return [
      {
        where: formatFileLine(proxyPass.place),
        what: `${proxyPass.location} forwards the client's own ${open.join(", ")}, which tsgun trusts from nginx`,
        mend: `write ${lines} or list only the fields that nginx sets in forwarded-headers`,
      },
    ];
  });
}

const PEER_NAMES = {
  unix: "over a Unix socket",
  loopback: "from this machine",
  elsewhere: "from another machine or container",
};

function untrusted(facts: Facts): Match[] {
  const { config } = facts;
  return ownProxyPasses(facts).flatMap((proxyPass): Match[] => {
    const peer = peersOf(proxyPass, facts).find(
      (candidate) => isAmong(config.forwardedAllowIps, candidate) === false,
    );
    if (peer === undefined) return [];
    const name = typeof peer === "object" ? `from ${peer.address}` : PEER_NAMES[peer];
    const entry =
      typeof peer === "object"
        ? peer.address
        : { unix: "unix", loopback: "127.0.0.1", elsewhere: "nginx's address" }[peer];
    return [
      {
        where: formatFileLine(proxyPass.place),
        what: `nginx connects ${name}, which tsgun does not trust: ${settingPlace(facts, "forwardedAllowIps")} is ${config.forwardedAllowIps.join(",") || "none"}`,
        mend: `add ${entry} to forwarded-allow-ips`,
      },
    ];
  });
}

function bypassed(facts: Facts): Match[] {
  const local = ownProxyPasses(facts).filter(({ servers }) =>
    servers.some((server) => server.kind === "tcp" && isLoopback(server.host)),
  );
  const open = facts.bound.filter((address) => address.kind === "tcp" && isWildcardHost(address.host));
  if (local.length === 0) return [];
  return open.map((address) => ({
    where: settingPlace(facts, "bind"),
    what: `nginx connects on this machine, but tsgun listens at ${formatUpstream(address)}, for every machine`,
  }));
}

export const NGINX_FIELDS: readonly Rule[] = [
  {
    id: "nginx-untrusted",
    level: "error",
    title: "`forwarded-allow-ips` does not include the address from which nginx connects",
    breaks:
      "The app sees nginx as the client and http as the scheme of every request: wrong logs, rate limits and links, and endless redirects to https. (Express and similar frameworks have their own setting.)",
    mend: "add nginx to forwarded-allow-ips",
    check: untrusted,
  },
  {
    id: "nginx-host-missing",
    level: "warning",
    title: "no `proxy_set_header Host`",
    breaks:
      "The app sees the upstream's name as the host: its redirects, links and cookies are for a site that does not exist.",
    mend: "write proxy_set_header Host $http_host; next to proxy_pass (a block with its own proxy_set_header inherits none)",
    check: hostMissing,
  },
  {
    id: "nginx-for-missing",
    level: "warning",
    title: "no `proxy_set_header X-Forwarded-For`",
    breaks: "The app does not know its clients' addresses, and trusts forged ones.",
    mend: "write proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; next to proxy_pass",
    check: unset("x-forwarded-for"),
  },
  {
    id: "nginx-proto-missing",
    level: "warning",
    title: "no `proxy_set_header X-Forwarded-Proto`",
    breaks:
      "The app mistakes https for http: links, secure cookies and redirects are wrong, and clients can forge the scheme.",
    mend: "write proxy_set_header X-Forwarded-Proto $scheme; next to proxy_pass",
    check: unset("x-forwarded-proto"),
  },
  {
    id: "nginx-forgeable",
    level: "warning",
    title: "nginx neither sets nor clears a field of `forwarded-headers`",
    breaks: "Clients can forge the host, port or path of their requests, or the request id.",
    mend: "set or clear each of them, or list only those that nginx sets in forwarded-headers",
    check: forgeable,
  },
  {
    id: "nginx-bypassed",
    level: "warning",
    title: "nginx connects on the same machine, but tsgun listens for every machine",
    breaks: "The app can be reached without nginx, and so without TLS and nginx's limits.",
    mend: "bind a Unix socket or 127.0.0.1",
    check: bypassed,
  },
];
