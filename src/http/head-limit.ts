/** The error for a head or trailer section that exceeds a limit. */
import { HttpError } from "../errors.ts";

/** The name of a limit in `RequestLimits`. */
export type HeadLimit = "requestLine" | "fields" | "fieldSize";

/** 414: RFC 9110 section 15.5.15; 431: RFC 6585 section 5. */
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
