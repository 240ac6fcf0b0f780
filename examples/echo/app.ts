/** Answers with what it was asked, byte for byte: how this server understood a request. */
import type { Handler } from "tsgun";

/** What the answer holds, as JSON. */
export interface Echo {
  method: string;
  /** The request-target exactly as received. */
  target: string;
  version: string;
  /** Names and values in the order, case and number in which they came. */
  headers: [name: string, value: string][];
  /** The content in base64. */
  body: string;
  trailers: [name: string, value: string][];
}

export const handler: Handler = async (request, respond) => {
  // The trailer fields follow the content, so that has to be read to its end before they are there.
  const body = await request.body.bytes();
  const echo: Echo = {
    method: request.method,
    target: request.target,
    version: request.httpVersion,
    headers: pairs(request.rawHeaders),
    body: Buffer.from(body).toString("base64"),
    trailers: pairs(request.rawTrailers),
  };
  respond(200, { "content-type": "application/json" }, `${JSON.stringify(echo)}\n`);
};

function pairs(fields: readonly string[]): [string, string][] {
  return fields.flatMap((name, at): [string, string][] =>
    at % 2 === 0 ? [[name, fields[at + 1] ?? ""]] : [],
  );
}
