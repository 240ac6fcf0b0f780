/** The fields of a head that the server itself reads. */
import type { IncomingMessage } from "node:http";
import { REQUEST_START } from "../request-start.ts";

const HOST = "host".length;
const EXPECT = "expect".length;
const CONTENT_LENGTH = "content-length".length;
const TRANSFER_ENCODING = "transfer-encoding".length;
const REQUEST_START_LENGTH = REQUEST_START.length;
/** Its third letter, and the bit that makes letters lower case. */
const [R, LOWER_CASE] = [0x72, 0x20];

/**
 * Finds the fields in one pass over what node's parser passes on, compares only names whose length matches, and makes no
 * garbage: every request pays for it. From `headers` each would be a look-up in an object of another shape.
 */
export class NodeHead {
  /** How many Host fields there are. */
  hosts = 0;
  host: string | undefined;
  expect: string | undefined;
  contentLength: string | undefined;
  transferEncoding: string | undefined;
  requestStart: string | undefined;
  /** The length of the longest name with its value. */
  longest = 0;

  read(request: IncomingMessage): void {
    const { rawHeaders } = request;
    this.hosts = 0;
    this.host = undefined;
    this.expect = undefined;
    this.contentLength = undefined;
    this.transferEncoding = undefined;
    this.requestStart = undefined;
    let longest = 0;
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const name = rawHeaders[at] as string;
      const value = rawHeaders[at + 1] as string;
      const { length } = name;
      if (length + value.length > longest) longest = length + value.length;
      if (length === HOST || length === EXPECT || length === CONTENT_LENGTH || length === TRANSFER_ENCODING)
        this.#add(name.toLowerCase(), value);
      // Accept-Encoding and X-Forwarded-For are as long.
      else if (
        length === REQUEST_START_LENGTH &&
        (name.charCodeAt(2) | LOWER_CASE) === R &&
        name.toLowerCase() === REQUEST_START
      )
        this.requestStart ??= value;
    }
    this.longest = longest;
  }

  /** As in `headers`, of Host and Content-Length the first counts, and others are joined. */
  #add(name: string, value: string): void {
    if (name === "host") {
      this.hosts += 1;
      this.host ??= value;
    } else if (name === "expect") this.expect = joined(this.expect, value);
    else if (name === "content-length") this.contentLength ??= value;
    else if (name === "transfer-encoding") this.transferEncoding = joined(this.transferEncoding, value);
  }

  /** Whether content follows, unless it is the head of a CONNECT. */
  get hasContent(): boolean {
    return this.transferEncoding !== undefined || Number(this.contentLength ?? 0) > 0;
  }
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`;
}
