/**
 * Corrects the fields of responses that an app got from `fetch` and returns. Node has decoded their content, so their
 * Content-Encoding and Content-Length no longer apply, and their hop-by-hop fields concerned the connection between
 * Node and the upstream.
 */

/** Content codings that this Node's `fetch` decodes; zstd since undici 7.11. */
const DECODED_CODINGS = new Set(["gzip", "x-gzip", "deflate", "br"]);
const [major = 0, minor = 0] = (process.versions.undici ?? "").split(".").map(Number);
if (major > 7 || (major === 7 && minor >= 11)) DECODED_CODINGS.add("zstd");

/** Hop-by-hop fields (RFC 9110 section 7.6.1 and well-known others). */
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

/** Body streams of fetched responses that were accessed, and whether their content was decoded. */
const streams = new WeakMap<object, boolean>();

/** `fetch` decodes all codings of a response, or none if it does not support one of them. */
function isDecoded(headers: Headers): boolean {
  const codings = headers.get("content-encoding")?.toLowerCase().split(",");
  return codings?.every((coding) => DECODED_CODINGS.has(coding.trim())) === true;
}

/**
 * Tracks the bodies of fetched responses, to recognise them in another response such as
 * `new Response(upstream.body, upstream)`, whose fields are most likely copied.
 */
export function watchFetchedContent(prototype: Response): void {
  const descriptor = Object.getOwnPropertyDescriptor(prototype, "body") as PropertyDescriptor;
  const read = descriptor.get as () => Response["body"];
  Object.defineProperty(prototype, "body", {
    ...descriptor,
    get(this: Response) {
      const body = read.call(this);
      if (body !== null && this.url !== "") streams.set(body, isDecoded(this.headers));
      return body;
    },
  });
}

/** The fields to send if the response or its content was fetched; undefined otherwise. */
export function fetchedFields({ url, headers, body }: Response): string[] | undefined {
  const decoded = url !== "" ? isDecoded(headers) : body === null ? undefined : streams.get(body);
  if (decoded === undefined) return undefined;
  const dropped = new Set(HOP_BY_HOP);
  for (const name of headers.get("connection")?.split(",") ?? []) dropped.add(name.trim().toLowerCase());
  if (decoded) dropped.add("content-encoding").add("content-length");
  return [...headers].filter(([name]) => !dropped.has(name)).flat();
}
