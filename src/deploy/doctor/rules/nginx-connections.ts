/** nginx's upstream addresses, connection reuse and protocol upgrades. */
import { formatAddress } from "../../../config/address.ts";
import { formatDuration } from "../../../config/number-kind.ts";
import { settings } from "../../../config/settings.ts";
import { KEEPALIVE_MARGIN_S } from "../../init/nginx.ts";
import { formatUpstream, ownProxyPasses, pointsHere } from "../bound-addresses.ts";
import { type Facts, settingPlace } from "../facts.ts";
import { formatFileLine } from "../file-line.ts";
import type { Match, Rule } from "../finding.ts";
import { effective, fieldsOf, lineOfDirective, type ProxyPass, type UpstreamGroup } from "../nginx-sites.ts";
import { nginxTime } from "../nginx-values.ts";

/** nginx's default. */
const DEFAULT_KEEPALIVE_TIMEOUT_MS = 60_000;
/** Since this version nginx uses HTTP/1.1 and keeps upstream connections by default. */
const KEEPALIVE_DEFAULT_SINCE = [1, 29, 7] as const;
const SINCE = KEEPALIVE_DEFAULT_SINCE.join(".");

/** Whether this machine's nginx keeps upstream connections by default; undefined if it is not installed. */
function keepsByDefault({ machine: { nginxVersion } }: Facts): boolean | undefined {
  if (nginxVersion === undefined) return undefined;
  const difference = KEEPALIVE_DEFAULT_SINCE.map(
    (part, index) => (nginxVersion[index] as number) - part,
  ).find((step) => step !== 0);
  return (difference ?? 0) >= 0;
}

/** Returns how many idle connections each nginx worker keeps to the group. */
function kept({ directives }: UpstreamGroup, facts: Facts): number {
  const written = directives.findLast(({ name }) => name === "keepalive")?.args[0];
  return written === undefined ? (keepsByDefault(facts) === true ? 32 : 0) : Number(written);
}

/** Returns the upstream groups that contain this server. */
function ownGroups(facts: Facts): readonly UpstreamGroup[] {
  return [...new Set(ownProxyPasses(facts).flatMap(({ group }) => group ?? []))];
}

function keepaliveLonger(facts: Facts): Match[] {
  const { keepAlive } = facts.config;
  if (keepAlive === 0) return [];
  return ownGroups(facts).flatMap((group): Match[] => {
    if (kept(group, facts) === 0) return [];
    const written = group.directives.findLast(({ name }) => name === "keepalive_timeout");
    const timeout = written === undefined ? DEFAULT_KEEPALIVE_TIMEOUT_MS : nginxTime(written.args[0] ?? "");
    if (timeout === undefined || timeout < keepAlive) return [];
    const theirs = `nginx keeps idle connections to ${group.name} for ${formatDuration(timeout)}${written === undefined ? " (its default)" : ""}`;
    return [
      {
        where: formatFileLine(written?.place ?? group.place),
        what: `${theirs}, tsgun for ${formatDuration(keepAlive)} (keep-alive)`,
        mend: mendKeepalive(keepAlive),
      },
    ];
  });
}

/** Suggests a lower time for nginx, or tsgun's default if keep-alive is below it. */
function mendKeepalive(keepAlive: number): string {
  const shorter = Math.min(DEFAULT_KEEPALIVE_TIMEOUT_MS, keepAlive - KEEPALIVE_MARGIN_S * 1000) / 1000;
  const ways = [
    ...(shorter >= 1 ? [`write keepalive_timeout ${Math.floor(shorter)}s; in the upstream block`] : []),
    ...(keepAlive < settings.keepAlive.default ? ["remove tsgun's keep-alive and keepalive_timeout"] : []),
  ];
  return ways.join(", or ");
}

/** Returns the Connection field that nginx sends, or undefined if it depends on a variable. */
function connectionOf(proxyPass: ProxyPass, facts: Facts): string | undefined {
  const written = fieldsOf(proxyPass).get("connection");
  if (written === undefined) return keepsByDefault(facts) === true ? "" : "close";
  return written.includes("$") ? undefined : written.toLowerCase();
}

function usesHttp11(proxyPass: ProxyPass, facts: Facts): boolean {
  const version = effective(proxyPass, "proxy_http_version")?.args[0];
  return version === undefined ? keepsByDefault(facts) === true : version !== "1.0";
}

function keepaliveUnused(facts: Facts): Match[] {
  return ownProxyPasses(facts).flatMap((proxyPass): Match[] => {
    if (proxyPass.group === undefined || kept(proxyPass.group, facts) === 0) return [];
    const lines = [
      ...(usesHttp11(proxyPass, facts) ? [] : ["proxy_http_version 1.1;"]),
      ...(connectionOf(proxyPass, facts) === "close" ? ['proxy_set_header Connection "";'] : []),
    ];
    if (lines.length === 0) return [];
    return [
      {
        where: formatFileLine(proxyPass.place),
        what: `the upstream ${proxyPass.group.name} keeps connections, but ${proxyPass.location} lacks ${lines.join(" and ")}`,
        mend: `write ${lines.join(" ")} next to proxy_pass; nginx ${SINCE} and later do so by default`,
      },
    ];
  });
}

function websocketBroken(facts: Facts): Match[] {
  return ownProxyPasses(facts).flatMap((proxyPass): Match[] => {
    const fields = fieldsOf(proxyPass);
    const connection = connectionOf(proxyPass, facts);
    const upgrade = fields.get("upgrade");
    const wanted = upgrade !== undefined && upgrade !== "";
    const where = formatFileLine(proxyPass.place);
    if (!wanted && connection === "upgrade") {
      const what = `${proxyPass.location} sends Connection: upgrade without Upgrade`;
      return [{ where, what, mend: "write proxy_set_header Upgrade $http_upgrade; next to it" }];
    }
    if (!wanted) return [];
    if (!usesHttp11(proxyPass, facts)) {
      const what = `${proxyPass.location} forwards Upgrade over HTTP/1.0, nginx's default before ${SINCE}`;
      return [{ where, what, mend: "write proxy_http_version 1.1; next to proxy_pass" }];
    }
    if (connection === undefined || connection === "upgrade") return [];
    const what = `${proxyPass.location} forwards Upgrade, but not Connection: upgrade${connection === "" ? "" : `: it sends ${connection}`}`;
    return [{ where, what }];
  });
}

function noMatchingAddress(facts: Facts): Match[] {
  const { bound, nginx } = facts;
  if (nginx.proxyPasses.some((proxyPass) => pointsHere(proxyPass, facts))) return [];
  return nginx.proxyPasses
    .filter(({ servers }) => servers.length > 0)
    .map(({ place, servers }) => ({
      where: formatFileLine(place),
      what: `nginx connects to ${servers.map(formatUpstream).join(", ")}, but tsgun listens at ${bound.map(formatAddress).join(", ")}`,
    }));
}

function plainToTls(facts: Facts): Match[] {
  if (facts.config.certfile === undefined) return [];
  return ownProxyPasses(facts)
    .filter(({ scheme }) => scheme === "http")
    .map((proxyPass) => ({
      where: lineOfDirective(proxyPass, undefined),
      what: `${proxyPass.location} speaks plain HTTP to tsgun, which has ${settingPlace(facts, "certfile")}: proxy_pass ${proxyPass.target}`,
      mend: `write proxy_pass ${proxyPass.target.replace("http://", "https://")};`,
    }));
}

function tlsToPlain(facts: Facts): Match[] {
  if (facts.config.certfile !== undefined) return [];
  return ownProxyPasses(facts)
    .filter(({ scheme }) => scheme === "https")
    .map((proxyPass) => ({
      where: lineOfDirective(proxyPass, undefined),
      what: `${proxyPass.location} speaks TLS to tsgun: proxy_pass ${proxyPass.target}`,
      mend: `write proxy_pass ${proxyPass.target.replace("https://", "http://")};`,
    }));
}

export const NGINX_CONNECTIONS: readonly Rule[] = [
  {
    id: "nginx-nobody-there",
    level: "error",
    title: "nginx has no upstream at an address where tsgun listens",
    breaks: "Every request gets 502.",
    mend: "give tsgun's bind (or the socket unit's ListenStream) and nginx's server or proxy_pass the same address",
    check: noMatchingAddress,
  },
  {
    id: "nginx-tls-to-plain",
    level: "error",
    title: "`proxy_pass https://…` to tsgun, which speaks plain HTTP",
    breaks: "Every request gets 502, because the TLS handshake fails.",
    mend: "write http:// in proxy_pass; nginx terminates TLS",
    check: tlsToPlain,
  },
  {
    id: "nginx-plain-to-tls",
    level: "error",
    title: "`proxy_pass http://…` to tsgun, which speaks TLS (`certfile`)",
    breaks: "Every request gets 400.",
    mend: "write https:// in proxy_pass, or remove certfile and let nginx terminate TLS",
    check: plainToTls,
  },
  {
    id: "nginx-keepalive-longer",
    level: "error",
    title: "`keepalive_timeout` of the upstream (60s by default) is not shorter than `keep-alive`",
    breaks:
      "nginx sends a request on a connection that tsgun is just closing: an occasional 502, mostly under light load.",
    mend: "make keepalive_timeout shorter than keep-alive: the side that reuses connections must close them first",
    check: keepaliveLonger,
  },
  {
    id: "nginx-keepalive-unused",
    level: "warning",
    title: `\`keepalive\` without \`proxy_http_version 1.1\` or an empty \`Connection\` (before nginx ${SINCE}, or if set to other values)`,
    breaks: "No connection is kept: every request opens a new one.",
    mend: 'write proxy_http_version 1.1; and proxy_set_header Connection ""; next to proxy_pass',
    check: keepaliveUnused,
  },
  {
    id: "nginx-websocket-broken",
    level: "error",
    title: "nginx forwards only some of `Upgrade`, `Connection: upgrade` and HTTP/1.1",
    breaks: "WebSockets fail: the app never gets a complete handshake.",
    mend: "write proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; and a Connection that depends on it: map $http_upgrade $connection_upgrade",
    check: websocketBroken,
  },
];
