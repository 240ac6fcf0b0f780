/** What nginx's directives say of the servers behind it: where it passes requests on, and how. Settings are inherited. */

import type { Directive } from "./nginx-syntax.ts";
import { at, type Place } from "./place.ts";

/** A server that nginx connects to. */
export type Upstream =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

export interface UpstreamGroup {
  readonly name: string;
  readonly place: Place;
  readonly servers: readonly Upstream[];
  readonly directives: readonly Directive[];
}

/** A place that passes requests on. */
export interface Passage {
  /** That of `proxy_pass`. */
  readonly place: Place;
  /** `location /api/`, for people. */
  readonly location: string;
  /** As it is written. */
  readonly target: string;
  readonly scheme: string;
  /** Undefined where no block of that name is among the files. */
  readonly group: UpstreamGroup | undefined;
  /** None where a variable says which. */
  readonly servers: readonly Upstream[];
  /** The blocks around it, the innermost first. */
  readonly scopes: readonly (readonly Directive[])[];
}

export interface NginxSetup {
  readonly passages: readonly Passage[];
  /** The user, and the group, of `user` in the main file. */
  readonly user: readonly string[];
}

/** Blocks that a location lies in, or may be. */
const SCOPES = new Set(["http", "server", "location", "if", "limit_except"]);

/** @param files of each file the directives */
export function nginxSetup(files: readonly (readonly Directive[])[]): NginxSetup {
  const http = files.flatMap((file) =>
    file.flatMap((entry) => (entry.name === "http" ? (entry.block ?? []) : [entry])),
  );
  const groups = http.filter(({ name }) => name === "upstream").map(upstreamGroup);
  return {
    passages: files.flatMap((file) => passagesIn(file, [file], "the file", groups)),
    user: files.flat().findLast(({ name }) => name === "user")?.args ?? [],
  };
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

/** `unix:/path` or `host:port`; undefined for what a variable says. */
function upstream(text: string): Upstream | undefined {
  if (text.includes("$")) return undefined;
  if (text.startsWith("unix:")) return { kind: "unix", path: text.slice("unix:".length) };
  const [, host = text, port = "80"] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(text) ?? [];
  return { kind: "tcp", host: host.replaceAll(/[[\]]/g, ""), port: Number(port) };
}

function passagesIn(
  block: readonly Directive[],
  scopes: Passage["scopes"],
  location: string,
  groups: readonly UpstreamGroup[],
): Passage[] {
  return block.flatMap((entry): Passage[] => {
    const { name, args, place } = entry;
    if (name === "proxy_pass") return [passage(args[0] ?? "", { place, location, scopes }, groups)];
    if (entry.block === undefined || !SCOPES.has(name)) return [];
    const label = name === "location" ? `location ${args.join(" ")}` : location;
    return passagesIn(entry.block, [entry.block, ...scopes], label, groups);
  });
}

function passage(
  target: string,
  around: Pick<Passage, "place" | "location" | "scopes">,
  groups: readonly UpstreamGroup[],
): Passage {
  const [, scheme = "http", rest = ""] = /^([a-z]+):\/\/(.*)$/s.exec(target) ?? [];
  // A path behind a Unix socket's is set off by a colon.
  const address = rest.startsWith("unix:")
    ? rest.replace(/^(unix:[^:]*).*$/s, "$1")
    : rest.replace(/[/?].*$/s, "");
  const group = groups.find(({ name }) => name === address);
  const single = upstream(address);
  const servers = group?.servers ?? (single === undefined || address === "" ? [] : [single]);
  return { ...around, target, scheme, group, servers };
}

/** The directive that holds there: that of the innermost block that has one. */
export function effective({ scopes }: Passage, name: string): Directive | undefined {
  return scopes
    .map((scope) => scope.findLast((entry) => entry.name === name))
    .find((entry) => entry !== undefined);
}

/**
 * The fields that are set there, by their names in small letters. A block with a `proxy_set_header` of its own
 * forgets those around it.
 */
export function fieldsOf({ scopes }: Passage): ReadonlyMap<string, string> {
  const own = scopes
    .map((scope) => scope.filter(({ name }) => name === "proxy_set_header"))
    .find((entries) => entries.length > 0);
  return new Map((own ?? []).map(({ args }) => [(args[0] ?? "").toLowerCase(), args[1] ?? ""]));
}

/** Where that holds, as people find it: its own line, else that of `proxy_pass`. */
export function whereOf(passage: Passage, directive: Directive | undefined): string {
  return at(directive?.place ?? passage.place);
}
