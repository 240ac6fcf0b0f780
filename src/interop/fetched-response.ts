/**
 * Responses that an app got from `fetch` and answers with. Node has undone their content coding, so that what their
 * fields say of the coding and the length is wrong for the content at hand; what they say of the connection was
 * between Node and the upstream.
 */

/** Codings that this Node's `fetch` undoes. It has known zstd since undici 7.11. */
const CODINGS = new Set(["gzip", "x-gzip", "deflate", "br"]);
const [major = 0, minor = 0] = (process.versions.undici ?? "").split(".").map(Number);
if (major > 7 || (major === 7 && minor >= 11)) CODINGS.add("zstd");

/** RFC 9110 section 7.6.1, and the fields that are known to be meant for one connection. */
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** The streams of fetched responses that somebody has looked at, and whether their content was decoded. */
const streams = new WeakMap<object, boolean>();

/** `fetch` undoes all codings of a response, or none where it does not know one of them. */
function isDecoded(headers: Headers): boolean {
  const codings = headers.get("content-encoding")?.toLowerCase().split(",");
  return codings?.every((coding) => CODINGS.has(coding.trim())) === true;
}

/**
 * From now on the content of a fetched response is known again in another one, such as
 * `new Response(upstream.body, upstream)`, whose fields are most likely copied.
 */
export function watchFetchedContent(prototype: Response): void {
  const there = Object.getOwnPropertyDescriptor(prototype, "body") as PropertyDescriptor;
  const read = there.get as () => Response["body"];
  Object.defineProperty(prototype, "body", {
    ...there,
    get(this: Response) {
      const body = read.call(this);
      if (body !== null && this.url !== "") streams.set(body, isDecoded(this.headers));
      return body;
    },
  });
}

/** The fields to send of a response that was fetched, or whose content was; undefined for any other. */
export function fetchedFields({ url, headers, body }: Response): string[] | undefined {
  const decoded = url !== "" ? isDecoded(headers) : body === null ? undefined : streams.get(body);
  if (decoded === undefined) return undefined;
  const dropped = new Set(HOP_BY_HOP);
  for (const name of headers.get("connection")?.split(",") ?? []) dropped.add(name.trim().toLowerCase());
  if (decoded) dropped.add("content-encoding").add("content-length");
  return [...headers].filter(([name]) => !dropped.has(name)).flat();
}
