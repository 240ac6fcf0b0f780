/**
 * The request parsers of a server. A connection has one only from the first byte of a message to its last: it would be a
 * quarter of an idle connection's memory. Nearly every message arrives whole, so that few are in use at once.
 */
import type { RequestLimits } from "../../http/head-limit.ts";
import { RequestParser, type RequestParserEvents } from "../../http/request-parser.ts";

/** Parsers that are kept for later. After a burst of slow clients the others are garbage. */
const MAX_SPARE = 64;

export class ParserPool {
  readonly #limits: RequestLimits;
  readonly #spare: RequestParser[] = [];

  constructor(limits: RequestLimits) {
    this.#limits = limits;
  }

  /** Returns a parser for a message from its first byte. */
  take(events: RequestParserEvents): RequestParser {
    const parser = this.#spare.pop();
    if (parser === undefined) return new RequestParser(this.#limits, events);
    parser.events = events;
    return parser;
  }

  /** Takes back a parser whose message is complete. Its state must be that of no connection. */
  give(parser: RequestParser): void {
    // It would keep a closed connection in memory.
    parser.events = undefined;
    if (this.#spare.length < MAX_SPARE) this.#spare.push(parser);
  }
}
