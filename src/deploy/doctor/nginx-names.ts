/** The names by which nginx, or a client behind it, asks a server of TLS. */
import { effective, type ProxyPass, passTo } from "./nginx-sites.ts";

/** The names that can be read of the patterns of `server_name` or of a map: `.a.test` is `a.test` and `*.a.test`. */
function plainNames(patterns: readonly string[]): string[] {
  return patterns
    .map((pattern) => pattern.toLowerCase())
    .filter((pattern) => /^(?:\*?\.)?[a-z\d-][a-z\d.-]*$/.test(pattern))
    .flatMap((pattern) => (pattern.startsWith(".") ? [pattern.slice(1), `*${pattern}`] : [pattern]));
}

/** Those of the site around it. */
export function siteNames({ scopes }: ProxyPass): string[] {
  const patterns = scopes.map((scope) => scope.filter(({ name }) => name === "server_name"));
  const nearest = patterns.find((entries) => entries.length > 0) ?? [];
  return plainNames(nearest.flatMap(({ args }) => args));
}

export interface VerifiedNames {
  /** Whether nginx tells it in the handshake (SNI). */
  readonly isSent: boolean;
  /** As it is written, with its directive. */
  readonly source: string;
  readonly names: readonly string[];
}

/** The names that a certificate must have for nginx to accept it; undefined if nginx checks none, or a variable has them. */
export function verifiedNames(proxyPass: ProxyPass): VerifiedNames | undefined {
  const is = (name: string): boolean => effective(proxyPass, name)?.args[0] === "on";
  if (!is("proxy_ssl_verify")) return undefined;
  const written = effective(proxyPass, "proxy_ssl_name")?.args[0];
  const names = namesIn(written ?? "$proxy_host", proxyPass);
  const source = written === undefined ? "the host of proxy_pass" : `proxy_ssl_name ${written}`;
  return names && { isSent: is("proxy_ssl_server_name"), source, names };
}

function namesIn(text: string, proxyPass: ProxyPass): readonly string[] | undefined {
  if (["$host", "$server_name", "$ssl_server_name", "$http_host"].includes(text)) {
    const names = siteNames(proxyPass);
    // The first one stands for the site.
    return text === "$server_name" ? names.slice(0, 1) : names.filter((name) => !name.startsWith("*"));
  }
  if (text === "$proxy_host") return proxyPass.target.includes("$") ? undefined : [hostOf(proxyPass.target)];
  return text.includes("$") ? undefined : [withoutPort(text)];
}

/** As in `$proxy_host`, without the port. */
function hostOf(target: string): string {
  const rest = target.replace(/^[a-z]+:\/\//, "");
  return rest.startsWith("unix:") ? "localhost" : withoutPort(rest.replace(/[/?].*$/s, ""));
}

function withoutPort(host: string): string {
  return host.replace(/:\d+$/, "").replaceAll(/[[\]]/g, "").toLowerCase();
}

const PREREAD_NAME = "$ssl_preread_server_name";

/** A name for which nginx passes the client's own handshake on. */
export interface PassedName {
  readonly name: string;
  readonly streamPass: ProxyPass;
}

/** The names of a server of the `stream` module that passes TLS on unread: by `server_name`, or a map of the name that it reads. */
export function passedNames(streamPass: ProxyPass): PassedName[] {
  const listens = streamPass.scopes[0]?.filter(({ name }) => name === "listen") ?? [];
  if (listens.some(({ args }) => args.includes("ssl"))) return [];
  const target = streamPass.target.replace("stream://", "");
  const map = streamPass.scopes
    .flat()
    .find(({ name, args: [source, into] }) => name === "map" && source === PREREAD_NAME && into === target);
  if (map === undefined) return siteNames(streamPass).map((name) => ({ name, streamPass }));
  return (map.block ?? [])
    .filter(({ name }) => name !== "default" && name !== "hostnames")
    .flatMap(({ name: pattern, args: [to = ""], place }) =>
      plainNames([pattern]).map((name) => ({ name, streamPass: { ...passTo(streamPass, to), place } })),
    );
}
