/** Kinds of network settings: addresses, peers, and URL paths. */
import * as v from "valibot";
import { FORWARDED_FIELDS, type ForwardedField, parsePeerRange, parseRootPath } from "../gateway/proxies.ts";
import { type Address, formatAddress, parseAddress } from "./address.ts";
import { invalidMessage, type Kind, kind, transformWith } from "./kind.ts";
import { formatWorkerAddresses, parseWorkerAddresses, type WorkerAddresses } from "./worker-addresses.ts";

const NO_ADDRESS = invalidMessage("is not an address: write host:port, [::1]:port, :port or unix:/path");

const NO_WORKER_ADDRESSES = invalidMessage(
  "is no address for each worker: write unix:/run/app-{slot}.sock or 127.0.0.1:9001-9016",
);

/** A number means a port. */
const addressSchema = v.union(
  [v.pipe(v.number(NO_ADDRESS), v.integer(NO_ADDRESS)), v.string(NO_ADDRESS)],
  NO_ADDRESS,
);

/** Addresses to bind; one string may contain several, separated by commas. */
export const addresses: Kind<readonly Address[], string | number | readonly (string | number)[]> = kind({
  placeholder: "ADDRESS",
  repeatable: true,
  schema: v.pipe(
    v.union([addressSchema, v.pipe(v.array(addressSchema), v.nonEmpty(NO_ADDRESS))], NO_ADDRESS),
    transformWith((written) => split(written).map((entry) => parseAddress(entry))),
  ),
  format: (value) => value.map(formatAddress).join(","),
});

/** One address. */
export const address: Kind<Address, string | number> = kind({
  placeholder: "ADDRESS",
  schema: v.pipe(
    addressSchema,
    transformWith((written) => parseAddress(String(written).trim())),
  ),
  format: formatAddress,
});

/** An address for each worker. */
export const workerAddresses: Kind<WorkerAddresses, string> = kind({
  placeholder: "ADDRESSES",
  schema: v.pipe(
    v.string(NO_WORKER_ADDRESSES),
    transformWith((written) => parseWorkerAddresses(written.trim())),
  ),
  format: formatWorkerAddresses,
});

/** The path of a URL, from its first slash. */
export const urlPath: Kind<string> = kind({
  placeholder: "/PATH",
  schema: matching(/^\/[!-"$-~]*$/, "is not a path that begins with /"),
});

function matching(pattern: RegExp, wrong: string): v.GenericSchema<string> {
  return v.pipe(v.string(invalidMessage(wrong)), v.regex(pattern, invalidMessage(wrong)));
}

/** Splits a value written as an array, with commas, or both. */
function split(written: unknown): string[] {
  return (Array.isArray(written) ? written : [written]).flatMap((item) =>
    String(item)
      .split(",")
      .map((entry) => entry.trim()),
  );
}

/** Like `split`, without empty entries and `none`. */
function splitList(written: unknown): string[] {
  return split(written).filter((entry) => entry !== "" && entry !== "none");
}

function formatList(value: readonly string[]): string {
  return value.length === 0 ? "none" : value.join(",");
}

const NO_LIST = invalidMessage("is not a list of names: write an array, or text with commas");
const listSchema = v.union([v.string(NO_LIST), v.array(v.string(NO_LIST))], NO_LIST);

/** Trusted peers: addresses, CIDRs, `unix`, `*`; `none` for no peer. */
export const peers: Kind<readonly string[], string | readonly string[]> = kind({
  placeholder: "PEERS",
  repeatable: true,
  schema: v.pipe(
    listSchema,
    transformWith((written) => {
      const entries = splitList(written);
      for (const entry of entries) parsePeerRange(entry);
      return entries;
    }),
  ),
  format: formatList,
});

const NO_PATHS = invalidMessage("is not a list of paths that begin with /: write /healthz,/ready");

/** Paths of URLs, without query; `none` for none. */
export const urlPaths: Kind<readonly string[], string | readonly string[]> = kind({
  placeholder: "/PATHS",
  repeatable: true,
  schema: v.pipe(
    listSchema,
    transformWith((written) => {
      const entries = splitList(written);
      if (!entries.every((entry) => /^\/[!-"$->@-~]*$/.test(entry)))
        throw new Error(NO_PATHS({ input: written }));
      return entries;
    }),
  ),
  format: formatList,
});

/** Names of the fields in which proxies describe the client; `none` for no field. */
export const forwardedFields: Kind<readonly ForwardedField[], string | readonly string[]> = kind({
  placeholder: "NAMES",
  repeatable: true,
  schema: v.pipe(
    listSchema,
    transformWith((written) => splitList(written).map(parseField)),
  ),
  format: formatList,
});

function parseField(entry: string): ForwardedField {
  const field = FORWARDED_FIELDS.find((name) => name === entry.toLowerCase());
  if (field === undefined) throw new Error(`"${entry}" is not one of ${FORWARDED_FIELDS.join(", ")}`);
  return field;
}

/** Versions of HTTP, as gunicorn names them. */
export type HttpProtocol = "h1" | "h2";

const PROTOCOLS: readonly HttpProtocol[] = ["h1", "h2"];

/** Versions of HTTP, the preferred one first. */
export const httpProtocols: Kind<readonly HttpProtocol[], string | readonly string[]> = kind({
  placeholder: "NAMES",
  repeatable: true,
  schema: v.pipe(
    listSchema,
    transformWith((written) => {
      const protocols = [...new Set(splitList(written).map(parseProtocol))];
      if (protocols.length === 0) throw new Error("names no protocol: write h1, h2 or h1,h2");
      return protocols;
    }),
  ),
  format: formatList,
});

function parseProtocol(entry: string): HttpProtocol {
  const protocol = PROTOCOLS.find((name) => name === entry.toLowerCase());
  if (protocol === undefined) throw new Error(`"${entry}" is not one of ${PROTOCOLS.join(", ")}`);
  return protocol;
}

const NO_ROOT = invalidMessage("is not a path: write /app");

/** The path under which an app is mounted; `/` is "". */
export const rootPath: Kind<string> = kind({
  placeholder: "/PATH",
  schema: v.pipe(
    v.string(NO_ROOT),
    transformWith((written) => {
      const path = parseRootPath(written);
      if (path === undefined) throw new Error(NO_ROOT({ input: written }));
      return path;
    }),
  ),
  format: (value) => value || "/",
});

/** The versions of the PROXY protocol that are expected. */
export type ProxyVersions = "off" | "v1" | "v2" | "auto";

const PROXY_WORDS: ReadonlyMap<string, ProxyVersions> = new Map([
  ["off", "off"],
  ["false", "off"],
  ["none", "off"],
  ["0", "off"],
  ["v1", "v1"],
  ["v2", "v2"],
  ["auto", "auto"],
  ["true", "auto"],
  ["1", "auto"],
]);

const NO_VERSION = invalidMessage("is not one of off, v1, v2, auto");

/** The PROXY protocol: a version, `auto` or true for either, `off` or false for neither. */
export const proxyVersions: Kind<ProxyVersions, ProxyVersions | boolean> = kind({
  placeholder: "off|v1|v2|auto",
  alone: "auto",
  schema: v.pipe(
    v.union([v.picklist(["off", "v1", "v2", "auto"] as const), v.boolean()], NO_VERSION),
    v.transform((written) => PROXY_WORDS.get(String(written)) as ProxyVersions),
  ),
  fromText: (text) => PROXY_WORDS.get(text.trim().toLowerCase()) ?? text,
});
