/** Echoes the request byte for byte, to show how the server understood it. */
import type { Handler } from "tsgun";

/** The response, as JSON. */
export interface Echo {
  method: string;
  /** The request-target exactly as received. */
  target: string;
  version: string;
  /** Names and values in their original order, case and number. */
  headers: [name: string, value: string][];
  /** The content in base64. */
  body: string;
  trailers: [name: string, value: string][];
}

export const handler: Handler = async (request, respond) => {
  // Trailers follow the content, so read it to the end first.
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
