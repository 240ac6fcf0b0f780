/** Kinds of the statsd settings: the server's address and the prefix as gunicorn writes them, and dogstatsd's tags. */
import * as v from "valibot";
import { invalidMessage, type Kind, kind, transformWith } from "./kind.ts";

export type StatsdAddress =
  | { readonly transport: "udp"; readonly host: string; readonly port: number }
  | { readonly transport: "unix"; readonly path: string };

const NO_ADDRESS = invalidMessage(
  "is not the address of a statsd server: write host:8125, [::1]:8125 or unix:///run/statsd.sock",
);

export const statsdAddress: Kind<StatsdAddress, string> = kind({
  placeholder: "ADDRESS",
  schema: v.pipe(
    v.string(NO_ADDRESS),
    v.regex(/^\s*(?:unix:\/\/\/.*|\S+:\d{1,5})\s*$/, NO_ADDRESS),
    transformWith(parseStatsdAddress),
  ),
  format: formatStatsdAddress,
});

function parseStatsdAddress(written: string): StatsdAddress {
  const text = written.trim();
  const [, path] = /^unix:\/\/(\/[^\0]*)$/.exec(text) ?? [];
  if (path !== undefined) return { transport: "unix", path };
  const [, inBrackets, name, digits] = /^(?:\[([\da-f:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/i.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port < 1 || port > 65535) throw new Error(NO_ADDRESS({ input: written }));
  return { transport: "udp", host: inBrackets ?? (name as string), port };
}

export function formatStatsdAddress(address: StatsdAddress): string {
  if (address.transport === "unix") return `unix://${address.path}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

/** Refuses characters that would end a name in a line of statsd. */
const NO_PREFIX = invalidMessage("is not a prefix: write a name such as web.shop, without : | @ and spaces");

/** Text before each name; the dot that ends it may be left out. */
export const statsdPrefix: Kind<string> = kind({
  placeholder: "PREFIX",
  schema: v.pipe(v.string(NO_PREFIX), v.regex(/^[^\s:|@#\0]+$/, NO_PREFIX)),
});

const NO_TAGS = invalidMessage("are not tags: write env:live,team:shop, without | and line breaks");
const tags = v.pipe(v.string(NO_TAGS), v.regex(/^[^|#\p{Cc}]+$/u, NO_TAGS));

/** Tags, separated by commas or as a list. */
export const statsdTags: Kind<readonly string[], string | readonly string[]> = kind({
  placeholder: "TAGS",
  repeatable: true,
  schema: v.pipe(
    v.union([tags, v.array(tags)], NO_TAGS),
    transformWith((written) => {
      const all = [written].flat().flatMap((text) => text.split(","));
      return all.map((tag) => tag.trim()).filter((tag) => tag !== "");
    }),
  ),
  format: (value) => value.join(","),
});
