/** Finds where and how nginx passes requests to upstream servers. Directives inherit from the enclosing blocks. */

import { type FileLine, formatFileLine } from "./file-line.ts";
import type { Directive } from "./nginx-syntax.ts";

export type Upstream =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

export interface UpstreamGroup {
  readonly name: string;
  readonly place: FileLine;
  readonly servers: readonly Upstream[];
  readonly directives: readonly Directive[];
}

/** A `proxy_pass` and its surroundings. */
export interface ProxyPass {
  /** Where `proxy_pass` stands. */
  readonly place: FileLine;
  /** For messages: `location /api/`. */
  readonly location: string;
  /** The argument of `proxy_pass`, as written. */
  readonly target: string;
  readonly scheme: string;
  /** Undefined if the files have no upstream block of that name. */
  readonly group: UpstreamGroup | undefined;
  /** Empty if a variable chooses the server. */
  readonly servers: readonly Upstream[];
  /** The enclosing blocks, innermost first. */
  readonly scopes: readonly (readonly Directive[])[];
}

export interface NginxSetup {
  readonly proxyPasses: readonly ProxyPass[];
  /** Those of `stream` blocks, which pass on connections without reading them. */
  readonly streamPasses: readonly ProxyPass[];
  /** The arguments of `user`: user and optional group. */
  readonly user: readonly string[];
}

/** Blocks that can contain `proxy_pass`. */
const SCOPES = new Set(["http", "server", "location", "if", "limit_except"]);

/** @param files the directives of each file */
export function nginxSetup(files: readonly (readonly Directive[])[]): NginxSetup {
  const http = files.flatMap((file) =>
    file.flatMap((entry) => (entry.name === "http" ? (entry.block ?? []) : [entry])),
  );
  const groups = http.filter(({ name }) => name === "upstream").map(upstreamGroup);
  return {
    proxyPasses: files.flatMap((file) => proxyPassesIn(file, [file], "the file", groups)),
    streamPasses: files.flatMap(streamPasses),
    user: files.flat().findLast(({ name }) => name === "user")?.args ?? [],
  };
}

function streamPasses(file: readonly Directive[]): ProxyPass[] {
  return file.flatMap(({ name, block = [] }) => {
    if (name !== "stream") return [];
    const groups = block.filter((entry) => entry.name === "upstream").map(upstreamGroup);
    const servers = block.filter((entry) => entry.name === "server");
    return servers.flatMap((server) => streamPass(server.block ?? [], block, groups) ?? []);
  });
}

function streamPass(
  server: readonly Directive[],
  stream: readonly Directive[],
  groups: readonly UpstreamGroup[],
): ProxyPass | undefined {
  const pass = server.findLast(({ name }) => name === "proxy_pass");
  if (pass === undefined) return undefined;
  const around = { place: pass.place, location: "the stream's server", scopes: [server, stream] };
  // Its argument has no scheme.
  return proxyPass(`stream://${pass.args[0] ?? ""}`, around, groups);
}

/** The same server of a stream, where a variable that `proxy_pass` names has this value. */
export function passTo({ place, location, scopes }: ProxyPass, address: string): ProxyPass {
  const groups = scopes.flat().filter(({ name }) => name === "upstream");
  return proxyPass(`stream://${address}`, { place, location, scopes }, groups.map(upstreamGroup));
}

function upstreamGroup({ args, block = [], place }: Directive): UpstreamGroup {
  const servers = block.filter(({ name }) => name === "server").map((entry) => upstream(entry.args[0] ?? ""));
  return {
    name: args[0] ?? "",
    place,
    servers: servers.filter((server) => server !== undefined),
    directives: block,
  };
}

/** Parses `unix:/path` or `host:port`; undefined if it contains a variable. */
function upstream(text: string): Upstream | undefined {
  if (text.includes("$")) return undefined;
  if (text.startsWith("unix:")) return { kind: "unix", path: text.slice("unix:".length) };
  const [, host = text, port = "80"] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(text) ?? [];
  return { kind: "tcp", host: host.replaceAll(/[[\]]/g, ""), port: Number(port) };
}

function proxyPassesIn(
  block: readonly Directive[],
  scopes: ProxyPass["scopes"],
  location: string,
  groups: readonly UpstreamGroup[],
): ProxyPass[] {
  return block.flatMap((entry): ProxyPass[] => {
    const { name, args, place } = entry;
    if (name === "proxy_pass") return [proxyPass(args[0] ?? "", { place, location, scopes }, groups)];
    if (entry.block === undefined || !SCOPES.has(name)) return [];
    const label = name === "location" ? `location ${args.join(" ")}` : location;
    return proxyPassesIn(entry.block, [entry.block, ...scopes], label, groups);
  });
}

function proxyPass(
  target: string,
  around: Pick<ProxyPass, "place" | "location" | "scopes">,
  groups: readonly UpstreamGroup[],
): ProxyPass {
  const [, scheme = "http", rest = ""] = /^([a-z]+):\/\/(.*)$/s.exec(target) ?? [];
  // A colon separates a Unix socket's path from the URI.
  const address = rest.startsWith("unix:")
    ? rest.replace(/^(unix:[^:]*).*$/s, "$1")
    : rest.replace(/[/?].*$/s, "");
  const group = groups.find(({ name }) => name === address);
  const single = upstream(address);
  const servers = group?.servers ?? (single === undefined || address === "" ? [] : [single]);
  return { ...around, target, scheme, group, servers };
}

/** Returns the directive in effect: that of the innermost block that has one. */
export function effective({ scopes }: ProxyPass, name: string): Directive | undefined {
  return scopes
    .map((scope) => scope.findLast((entry) => entry.name === name))
    .find((entry) => entry !== undefined);
}

/**
 * Returns the header fields that nginx sets, by lower-case name. A block with its own `proxy_set_header`
 * inherits none from the enclosing blocks.
 */
export function fieldsOf({ scopes }: ProxyPass): ReadonlyMap<string, string> {
  const own = scopes
    .map((scope) => scope.filter(({ name }) => name === "proxy_set_header"))
    .find((entries) => entries.length > 0);
  return new Map((own ?? []).map(({ args }) => [(args[0] ?? "").toLowerCase(), args[1] ?? ""]));
}

/** Returns `file:line` of the directive, or of `proxy_pass` if the directive is absent. */
export function lineOfDirective(proxyPass: ProxyPass, directive: Directive | undefined): string {
  return formatFileLine(directive?.place ?? proxyPass.place);
}
