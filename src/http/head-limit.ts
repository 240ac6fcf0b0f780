/** The limits on a head or trailer section, and the error for one that exceeds them. */
import { HttpError } from "../errors.ts";

/** Limits on a head (gunicorn: limit_request_line, limit_request_fields, limit_request_field_size). */
export interface RequestLimits {
  /** Maximum bytes of the request line without its CRLF; more is answered with 414. */
  readonly requestLine: number;
  /** Maximum number of fields in a head and in a trailer section; more is answered with 431. */
  readonly fields: number;
  /** Maximum bytes of a field line without its CRLF; more is answered with 431. */
  readonly fieldSize: number;
}

export type HeadLimit = keyof RequestLimits;

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
