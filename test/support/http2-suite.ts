/** One request of the suite over HTTP/2, with node's own client. */
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";
import { type SuiteRequest, type SuiteResponse, suiteResponse } from "../../src/conformance/exchange.ts";

/** Fields that belong to a connection of HTTP/1.1. */
const NOT_SENT = new Set(["connection", "host", "transfer-encoding", "upgrade", "keep-alive"]);

function withoutPseudo(raw: readonly string[]): string[] {
  return raw.filter((_text, index) => raw[index - (index % 2)]?.[0] !== ":");
}

function exchange(session: ClientHttp2Session, request: SuiteRequest): Promise<SuiteResponse> {
  const { method = "GET", target = "/", headers = [], content, trailers = [] } = request;
  const fields: Record<string, string | string[]> = { ":method": method, ":path": target };
  for (let index = 0; index < headers.length; index += 2) {
    const name = (headers[index] as string).toLowerCase();
    const value = headers[index + 1] as string;
    if (name === "host") fields[":authority"] = value;
    if (NOT_SENT.has(name)) continue;
    const earlier = fields[name];
    fields[name] = earlier === undefined ? value : [...(Array.isArray(earlier) ? earlier : [earlier]), value];
  }
  fields[":authority"] ??= "localhost";
  if (typeof content === "string" || content instanceof Uint8Array)
    fields["content-length"] ??= String(Buffer.byteLength(content as string));
  const stream = session.request(fields, { endStream: content === undefined, waitForTrailers: true });
  const informational: { status: number; rawHeaders: readonly string[] }[] = [];
  const pieces: Buffer[] = [];
  const parts = { status: 0, rawHeaders: [] as string[], rawTrailers: [] as string[] };
  stream.on("headers", (head: IncomingHttpHeaders, _flags: number, raw: string[]) =>
    informational.push({ status: Number(head[":status"]), rawHeaders: withoutPseudo(raw) }),
  );
  stream.on("response", (head: IncomingHttpHeaders, _flags: number, raw: string[]) => {
    parts.status = Number(head[":status"]);
    parts.rawHeaders = withoutPseudo(raw);
  });
  stream.on("trailers", (_head, _flags, raw: string[]) => {
    parts.rawTrailers = raw;
  });
  stream.on("data", (piece: Buffer) => pieces.push(piece));
  stream.on("error", () => {});
  stream.on("wantTrailers", () => {
    const sent: Record<string, string> = {};
    for (let index = 0; index < trailers.length; index += 2)
      sent[(trailers[index] as string).toLowerCase()] = trailers[index + 1] as string;
    stream.sendTrailers(sent);
  });
  if (content !== undefined) {
    for (const piece of Array.isArray(content) ? content : [content as string]) stream.write(piece);
    stream.end();
  }
  return new Promise((resolve) => {
    stream.on("close", () => {
      session.close();
      const complete = stream.rstCode === 0;
      const body = Buffer.concat(pieces);
      resolve(suiteResponse({ ...parts, content: body, informational, complete, upgraded: undefined }));
    });
  });
}

/** Sends it on a session of its own. */
export function exchangeOverHttp2(port: number, request: SuiteRequest): Promise<SuiteResponse> {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  return exchange(session, request);
}

const UPGRADE = "an extended CONNECT takes the place of Upgrade: test/server/http2/websocket";
const LOWER_CASE = "HTTP/2 has field names in lower case only";
const ABSOLUTE = "HTTP/2 has no absolute-form";
const CLIENT = "node's client sends such a field once: test/server/http2/request-head";
const OLDER = "a version of its own";

/** The cases that do not apply, with the reasons. */
export const NOT_OF_HTTP2 = {
  wire: "bytes are not HTTP/1.1",
  upgrade: UPGRADE,
  "trailers are available once the body has been read, joined and raw": CLIENT,
  "trailers are dropped if the response is not chunked": "HTTP/2 has trailers behind any content",
  "without an upgrade handler such requests go to handle, which can respond as usual": UPGRADE,
  "an absolute-form target has path, query and host of its own": ABSOLUTE,
  "an absolute-form target without a path has the path /": ABSOLUTE,
  "HTTP/1.0 without Host": OLDER,
  "HTTP/1.1": OLDER,
  "raw fields keep order, case, number and bytes": LOWER_CASE,
  "fields have lower-case names and no prototype": CLIENT,
  "repeated fields are joined": CLIENT,
  "fields that are not lists keep their first value": CLIENT,
  "an upgrade request has upgrade set and goes to the app's upgrade handler": UPGRADE,
  "CONNECT is an upgrade request": UPGRADE,
  "fields keep their order and number, and are not joined":
    "node:http2 sends fields of one name beside each other",
  "Upgrade in a response from a writer adds the upgrade option to Connection": UPGRADE,
  "Upgrade in a response to HEAD adds the upgrade option to Connection": UPGRADE,
  "Upgrade in a response whole adds the upgrade option to Connection": UPGRADE,
  "Upgrade in a response with close adds the upgrade option to Connection": UPGRADE,
  "an informational response has no framing and connection fields": LOWER_CASE,
  "an HTTP/1.0 client gets no informational response": OLDER,
  "the app owns the connection in both directions": UPGRADE,
  "a 101 has no framing fields, and Connection has the upgrade option": UPGRADE,
  "the app's own Connection field is sent unchanged": UPGRADE,
  "a library can write the handshake itself": UPGRADE,
  "content is no part of the new protocol: with an upgrade, such a request is refused or asks for nothing":
    UPGRADE,
};
