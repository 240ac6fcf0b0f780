/** The parser of a connection, which has one only while a message arrives. A base of the connection, as its phases are. */
import type { RequestParser, RequestParserEvents } from "../../http/request-parser.ts";
import { ConnectionPhases } from "./connection-phases.ts";

export abstract class ConnectionParser<Connection> extends ConnectionPhases<Connection> {
  #parser: RequestParser | undefined;

  /** Parses bytes from `at` on, at most to the end of a message. Returns how many. */
  protected parse(bytes: Buffer, at: number, events: RequestParserEvents): number {
    this.#parser ??= this.host.parsers.take(events);
    const parser = this.#parser;
    const consumed = parser.execute(bytes, at, bytes.length - at);
    if (parser.complete) {
      this.#parser = undefined;
      this.host.parsers.give(parser);
    }
    return consumed;
  }

  /** True while a head is being received. */
  protected get inHead(): boolean {
    return this.#parser?.inHead === true;
  }

  /** The part of an incomplete or refused head that has arrived, as unvalidated Latin-1. */
  protected get received(): string {
    return this.#parser?.received ?? "";
  }

  /** Bytes of memory held for an incomplete head. */
  protected get heldBytes(): number {
    return this.#parser?.heldBytes ?? 0;
  }

  /** The client has ended. @throws HttpError 400 if that truncates a message */
  protected finishParsing(): void {
    this.#parser?.finish();
  }

  /** Nothing more is parsed. */
  protected stopParsing(): void {
    this.#parser?.drop();
  }
}
