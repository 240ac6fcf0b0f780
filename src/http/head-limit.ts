/** A head, or a trailer section, beyond one of the limits, and which one it is. */
import { HttpError } from "../errors.ts";

/** The limits of a head, as `RequestLimits` has them. */
export type HeadLimit = "requestLine" | "fields" | "fieldSize";

/** RFC 9110 section 15.5.15, RFC 6585 section 5. */
export const LIMIT_STATUS: { readonly [Limit in HeadLimit]: number } = {
  requestLine: 414,
  fields: 431,
  fieldSize: 431,
};

const MESSAGE: { readonly [Limit in HeadLimit]: string } = {
  requestLine: "the request line is too long",
  fields: "too many header fields",
  fieldSize: "a header field is too long",
};

export class HeadLimitError extends HttpError {
  readonly limit: HeadLimit;

  constructor(limit: HeadLimit) {
    super(LIMIT_STATUS[limit], MESSAGE[limit]);
    this.limit = limit;
  }
}
