/** nginx's upstream addresses, connection reuse and protocol upgrades. */
import { formatAddress } from "../../../config/address.ts";
import { formatDuration } from "../../../config/number-kind.ts";
import { settings } from "../../../config/settings.ts";
import { KEEPALIVE_MARGIN_S } from "../../init/nginx.ts";
import { formatUpstream, leadsHere, ownPassages } from "../bound-addresses.ts";
import type { Facts } from "../facts.ts";
import type { Found, Rule } from "../finding.ts";
import { effective, fieldsOf, type Passage, type UpstreamGroup, whereOf } from "../nginx-sites.ts";
import { nginxTime } from "../nginx-values.ts";
import { at } from "../place.ts";

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
  return [...new Set(ownPassages(facts).flatMap(({ group }) => group ?? []))];
}

function keepaliveLonger(facts: Facts): Found[] {
  const { keepAlive } = facts.config;
  if (keepAlive === 0) return [];
  return ownGroups(facts).flatMap((group): Found[] => {
    if (kept(group, facts) === 0) return [];
    const written = group.directives.findLast(({ name }) => name === "keepalive_timeout");
    const timeout = written === undefined ? DEFAULT_KEEPALIVE_TIMEOUT_MS : nginxTime(written.args[0] ?? "");
    if (timeout === undefined || timeout < keepAlive) return [];
    const theirs = `nginx keeps idle connections to ${group.name} for ${formatDuration(timeout)}${written === undefined ? " (its default)" : ""}`;
    return [
      {
        where: at(written?.place ?? group.place),
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
    ...(keepAlive < settings.keepAlive.default
      ? ["leave out keep-alive of tsgun, and keepalive_timeout"]
      : []),
  ];
  return ways.join(", or ");
}

/** Returns the Connection field that nginx sends, or undefined if it depends on a variable. */
function connectionOf(passage: Passage, facts: Facts): string | undefined {
  const written = fieldsOf(passage).get("connection");
  if (written === undefined) return keepsByDefault(facts) === true ? "" : "close";
  return written.includes("$") ? undefined : written.toLowerCase();
}

function speaks11(passage: Passage, facts: Facts): boolean {
  const version = effective(passage, "proxy_http_version")?.args[0];
  return version === undefined ? keepsByDefault(facts) === true : version !== "1.0";
}

function keepaliveUnused(facts: Facts): Found[] {
  return ownPassages(facts).flatMap((passage): Found[] => {
    if (passage.group === undefined || kept(passage.group, facts) === 0) return [];
    const lines = [
      ...(speaks11(passage, facts) ? [] : ["proxy_http_version 1.1;"]),
      ...(connectionOf(passage, facts) === "close" ? ['proxy_set_header Connection "";'] : []),
    ];
    if (lines.length === 0) return [];
    return [
      {
        where: at(passage.place),
        what: `the upstream ${passage.group.name} is to keep connections, and ${passage.location} is without ${lines.join(" and ")}`,
        mend: `write ${lines.join(" ")} beside proxy_pass; nginx ${SINCE} and later do so by themselves, where nothing else is written`,
      },
    ];
  });
}

function websocketBroken(facts: Facts): Found[] {
  return ownPassages(facts).flatMap((passage): Found[] => {
    const fields = fieldsOf(passage);
    const connection = connectionOf(passage, facts);
    const upgrade = fields.get("upgrade");
    const wanted = upgrade !== undefined && upgrade !== "";
    const where = at(passage.place);
    if (!wanted && connection === "upgrade") {
      const what = `${passage.location} says Connection: upgrade, and passes no Upgrade on`;
      return [{ where, what, mend: "write proxy_set_header Upgrade $http_upgrade; beside it" }];
    }
    if (!wanted) return [];
    if (!speaks11(passage, facts)) {
      const what = `${passage.location} passes Upgrade on, and speaks HTTP/1.0, nginx's default before ${SINCE}`;
      return [{ where, what, mend: "write proxy_http_version 1.1; beside proxy_pass" }];
    }
    if (connection === undefined || connection === "upgrade") return [];
    const what = `${passage.location} passes Upgrade on, but not Connection: upgrade${connection === "" ? "" : `: it says ${connection}`}`;
    return [{ where, what }];
  });
}

function noMatchingAddress(facts: Facts): Found[] {
  const { bound, nginx } = facts;
  if (nginx.passages.some((passage) => leadsHere(passage, facts))) return [];
  return nginx.passages
    .filter(({ servers }) => servers.length > 0)
    .map(({ place, servers }) => ({
      where: at(place),
      what: `nginx connects to ${servers.map(formatUpstream).join(", ")}, and tsgun listens at ${bound.map(formatAddress).join(", ")}`,
    }));
}

function tlsToPlain(facts: Facts): Found[] {
  return ownPassages(facts)
    .filter(({ scheme }) => scheme === "https")
    .map((passage) => ({
      where: whereOf(passage, undefined),
      what: `${passage.location} speaks TLS to tsgun: proxy_pass ${passage.target}`,
      mend: `write proxy_pass ${passage.target.replace("https://", "http://")};`,
    }));
}

export const NGINX_CONNECTIONS: readonly Rule[] = [
  {
    id: "nginx-nobody-there",
    level: "error",
    title: "nginx passes nothing to an address that tsgun listens at",
    breaks: "Every request gets 502.",
    mend: "let bind of tsgun (or ListenStream of the socket unit) and server or proxy_pass of nginx name the same address",
    check: noMatchingAddress,
  },
  {
    id: "nginx-tls-to-plain",
    level: "error",
    title: "`proxy_pass https://…` to tsgun, which speaks plain HTTP",
    breaks: "Every request gets 502: the handshake fails.",
    mend: "write http:// in proxy_pass; TLS ends at nginx",
    check: tlsToPlain,
  },
  {
    id: "nginx-keepalive-longer",
    level: "error",
    title: "`keepalive_timeout` of the upstream (60s by default) is not below `keep-alive`",
    breaks:
      "nginx sends a request on a connection that tsgun is just closing: a 502 now and then, under light load.",
    mend: "the side that uses connections again has to close them first: keepalive_timeout below keep-alive",
    check: keepaliveLonger,
  },
  {
    id: "nginx-keepalive-unused",
    level: "warning",
    title: `\`keepalive\` without \`proxy_http_version 1.1\` or an empty \`Connection\` (before nginx ${SINCE}, or where they are set to something else)`,
    breaks: "No connection is kept: each request pays for a new one.",
    mend: 'write proxy_http_version 1.1; and proxy_set_header Connection ""; beside proxy_pass',
    check: keepaliveUnused,
  },
  {
    id: "nginx-websocket-broken",
    level: "error",
    title: "of `Upgrade`, `Connection: upgrade` and HTTP/1.1 nginx passes on some and not the others",
    breaks: "WebSockets do not come about: the app never sees their handshake as one.",
    mend: "write proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; and a Connection that follows it: map $http_upgrade $connection_upgrade",
    check: websocketBroken,
  },
];
