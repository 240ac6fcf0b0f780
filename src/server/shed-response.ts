/** The response to a request that the app does not get, since there are too many. */
import { HttpError } from "../errors.ts";
import type { ExchangeRequest } from "../exchange/request.ts";
import type { ExchangeResponse } from "../exchange/response.ts";
import type { DressAnswer } from "../exchange/server-answer.ts";
import { fieldPairs } from "../gateway/fields.ts";
import { RETRY_AFTER } from "./server-options.ts";

export const SHED_FIELDS = Object.freeze({
  "content-type": "text/plain; charset=utf-8",
  "retry-after": RETRY_AFTER,
});
export const SHED_CONTENT = "503 Service Unavailable\n";

/** Sends it, as the app dresses the server's responses (gateway section 11.7). */
export function respondShed(
  request: ExchangeRequest | undefined,
  response: ExchangeResponse | undefined,
  dress: DressAnswer | undefined,
): void {
  const dressed = dress?.({
    status: 503,
    error: new HttpError(503, "the server has too many requests"),
    request,
  });
  if (dressed === undefined) response?.begin(503, SHED_FIELDS, SHED_CONTENT);
  else {
    const fields = fieldPairs(dressed.fields);
    response?.begin(503, [["retry-after", RETRY_AFTER], ...fields], dressed.content);
  }
}
