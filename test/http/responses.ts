/** Parses responses as a strict client does: RFC 9112 sections 4 and 6.3. Texts are Latin-1. */

export interface WireResponse {
  status: number;
  /** By lower-case name; repeats joined with ", ". */
  headers: Map<string, string>;
  body: string;
}

interface Framed {
  body: string;
  next: number;
}

const HEAD =
  /^HTTP\/1\.1 (\d{3}) [\t\x20-\x7e]*\r\n((?:[!#$%&'*+\-.^_`|~\w]+: [\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n/;

function fields(section: string): Map<string, string> {
  const headers = new Map<string, string>();
  for (const line of section.split("\r\n").slice(0, -1)) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 2);
    const earlier = headers.get(name);
    headers.set(name, earlier === undefined ? value : `${earlier}, ${value}`);
  }
  return headers;
}

function sized(text: string, at: number, length: string): Framed | undefined {
  if (!/^\d+$/.test(length)) throw new Error(`a response with Content-Length ${length}`);
  const next = at + Number(length);
  return next > text.length ? undefined : { body: text.slice(at, next), next };
}

function chunked(text: string, start: number): Framed | undefined {
  let body = "";
  let at = start;
  for (;;) {
    const line = text.indexOf("\r\n", at);
    if (line === -1) return undefined;
    const size = Number.parseInt(text.slice(at, line), 16);
    const next = line + 2 + size + 2;
    if (next > text.length) return undefined;
    if (text.slice(next - 2, next) !== "\r\n")
      throw new Error("a chunk of a response is not followed by CRLF");
    if (size === 0) return { body, next };
    body += text.slice(line + 2, next - 2);
    at = next;
  }
}

/**
 * Returns the complete final responses at the start of `text`, and the rest. `headOnly` tells which responses have no
 * content because of their request. Throws at bytes that are not a response.
 */
export function readResponses(
  text: string,
  headOnly: (index: number) => boolean,
): { responses: WireResponse[]; rest: string } {
  const responses: WireResponse[] = [];
  let at = 0;
  for (;;) {
    const rest = text.slice(at);
    const head = HEAD.exec(rest);
    if (head === null) {
      if (rest.includes("\r\n\r\n")) throw new Error(`not a response: ${JSON.stringify(rest)}`);
      return { responses, rest };
    }
    const status = Number(head[1]);
    const headers = fields(head[2] as string);
    const start = at + head[0].length;
    if (status < 200) {
      at = start;
      continue;
    }
    const length = headers.get("content-length");
    const coding = headers.get("transfer-encoding");
    if ((length === undefined) === (coding === undefined))
      throw new Error(`unclear framing: ${JSON.stringify(rest)}`);
    let framed: Framed | undefined;
    if (headOnly(responses.length)) framed = { body: "", next: start };
    else framed = length === undefined ? chunked(text, start) : sized(text, start, length);
    if (framed === undefined) return { responses, rest };
    responses.push({ status, headers, body: framed.body });
    at = framed.next;
  }
}
