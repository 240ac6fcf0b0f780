/** The `respond` function that an app gets, bound to one response. */
import type { Duplex } from "node:stream";
import { GatewayError } from "../errors.ts";
import { clause } from "../gateway/clauses.ts";
import type { Finished, HeadersInput, Respond, ResponseBody } from "../gateway/types.ts";

/** The members of a response that `respond` uses. */
export interface RespondTarget {
  readonly respond: Respond;
  readonly status: number;
  begin(status: number, headers: HeadersInput | null | undefined, body: ResponseBody | undefined): unknown;
  informational(status: number, headers?: HeadersInput): void;
  upgrade(headers?: HeadersInput | null): Duplex;
  finished(): Promise<Finished>;
  /**
   * Sends text with field lines that are encoded already, and fit to send. Returns false, without effect, if this
   * response is not that simple; absent if no response of this server is.
   */
  beginText?(status: number, lines: string, text: string): boolean;
}

const TARGET = Symbol("response");

/** A `respond` whose `sent` is the response's to set. */
export type BoundRespond = Respond & { [TARGET]: RespondTarget; sent: boolean };

function informational(this: BoundRespond, status: number, headers?: HeadersInput): void {
  this[TARGET].informational(status, headers);
}

function upgrade(this: BoundRespond, headers?: HeadersInput | null): Duplex {
  return this[TARGET].upgrade(headers);
}

function finished(this: BoundRespond): Promise<Finished> {
  return this[TARGET].finished();
}

export function bindRespond(target: RespondTarget): BoundRespond {
  // Properties assigned to a closure cost a fifth of setting its prototype, on every request.
  const respond = function (status: number, headers?: HeadersInput | null, body?: ResponseBody): unknown {
    // biome-ignore lint/complexity/noArguments: an array of them for each response would cost more
    if (body === undefined && arguments.length > 2) throw undefinedContent();
    return target.begin(status, headers, body);
  } as unknown as BoundRespond;
  respond[TARGET] = target;
  respond.sent = false;
  respond.informational = informational as unknown as Respond["informational"];
  respond.upgrade = upgrade as unknown as Respond["upgrade"];
  respond.finished = finished as unknown as Respond["finished"];
  return respond;
}

/** A variable that is unexpectedly undefined must not become a response that nobody ends. */
function undefinedContent(): GatewayError {
  return new GatewayError(
    clause.content,
    "respond was given undefined as content: give null for none, and two arguments for a writer",
  );
}

/**
 * Sends text with field lines that are encoded already, and fit to send.
 *
 * @returns false, without effect, if that takes a call of `respond`: it is a middleware's, or the response is not that simple
 */
export function respondText(respond: Respond, status: number, lines: string, text: string): boolean {
  const target = (respond as Partial<BoundRespond>)[TARGET];
  // A middleware may have copied the members to a function of its own.
  return target?.respond === respond && target.beginText?.(status, lines, text) === true;
}

/** The status sent through `respond`, by the app or by the server in its place; undefined before that. */
export function sentStatus(respond: Respond): number | undefined {
  return (respond as Partial<BoundRespond>)[TARGET]?.status || undefined;
}
