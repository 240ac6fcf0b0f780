/** A `respond` that checks both sides against sections 6 to 10: the app's arguments and the server's behaviour. */
import type { Duplex } from "node:stream";
import { isBlob } from "./blob.ts";
import { fieldPairs, isTrailerName, rawFields } from "./fields.ts";
import { assertClause, formatValue, violation } from "./lint-violation.ts";
import { forbidsContent, isFinalStatus, isInformationalStatus } from "./statuses.ts";
import type { GatewayRequest, HeadersInput, Respond, ResponseBody, ResponseWriter } from "./types.ts";

/** The state of one exchange. It must not reference anything the app holds, or `dropped` would never fire. */
export interface LintedExchange {
  readonly signal: AbortSignal;
  readonly label: string;
  readonly warn: (message: string) => void;
  responded: boolean;
  /** True once the app has ended the response, or sent it in one call. */
  ended: boolean;
  failed: boolean;
}

/** Warns when `respond` or a writer is garbage-collected before the response is finished: it never will be. */
const dropped = new FinalizationRegistry<{ exchange: LintedExchange; writer: boolean }>((held) => {
  const { exchange, writer } = held;
  if (exchange.signal.aborted || exchange.failed) return;
  if (writer && !exchange.ended)
    exchange.warn(`${exchange.label}: the writer was dropped without end() (section 7.3)`);
  if (!writer && !exchange.responded) {
    exchange.warn(
      `${exchange.label}: the app dropped respond without calling it, so the client gets no response (section 6.6.1)`,
    );
  }
});

const SERVER_FIELDS = new Set(["transfer-encoding", "keep-alive", "proxy-connection"]);

/** Fields that only a final response may have. */
const FINAL_FIELDS = new Set(["connection", "content-length", "trailer", "upgrade"]);

type Pairs = [string, string][];

/** Checks headers and returns them as pairs, so that an iterable is read only once. */
function checkHeaders(headers: HeadersInput | null | undefined): Pairs {
  const pairs = fieldPairs(rawFields(headers));
  for (const [name, value] of pairs) {
    const lower = name.toLowerCase();
    const allowed = lower === "connection" ? value.toLowerCase() === "close" : !SERVER_FIELDS.has(lower);
    assertClause(
      allowed,
      "6.3.4",
      `the app sets ${name}: ${formatValue(value)}, which only the server may set`,
    );
  }
  return pairs;
}

function checkStatus(status: number): void {
  assertClause(isFinalStatus(status), "6.2.1", `${formatValue(status)} is not a final status (200 to 599)`);
}

function isContent(body: unknown): boolean {
  if (body === null || typeof body === "string" || body instanceof Uint8Array) return true;
  if (typeof body !== "object") return false;
  return (
    Symbol.asyncIterator in body ||
    Symbol.iterator in body ||
    "file" in body ||
    "getReader" in body ||
    isBlob(body)
  );
}

function checkLength(pairs: Pairs, size: number | undefined, omitsContent: boolean): void {
  for (const [name, value] of pairs) {
    if (name.toLowerCase() !== "content-length") continue;
    assertClause(/^\d+$/.test(value), "6.5.2", `${formatValue(value)} is not a valid Content-Length`);
    if (size === undefined || (omitsContent && size === 0)) continue;
    assertClause(
      Number(value) === size,
      "6.5.2",
      `Content-Length is ${value}, but the content has ${size} bytes`,
    );
  }
}

function sizeOf(body: ResponseBody): number | undefined {
  if (body === null) return 0;
  if (typeof body === "string") return Buffer.byteLength(body);
  return body instanceof Uint8Array ? body.length : undefined;
}

/** Wraps `respond` for one exchange. */
export function lintRespond(respond: Respond, request: GatewayRequest, exchange: LintedExchange): Respond {
  assertClause(typeof respond === "function", "3.1.1", `respond is ${formatValue(respond)}`);
  for (const name of ["informational", "upgrade", "finished"] as const) {
    assertClause(typeof respond[name] === "function", "6.6.4", `respond.${name} is not a function`);
  }
  assertClause(typeof respond.sent === "boolean", "6.6.2", `respond.sent is ${formatValue(respond.sent)}`);
  const linted = (...args: [number, (HeadersInput | null)?, ResponseBody?]): unknown => {
    const [status, headers, body] = args;
    checkFirstResponse(exchange);
    assertClause(
      args.length < 3 || body !== undefined,
      "6.1.2",
      "the content is undefined: give null for none, and two arguments for a writer",
    );
    checkStatus(status);
    const pairs = headers === null || headers === undefined ? headers : checkHeaders(headers);
    if (body !== undefined) return respondWhole(respond, status, pairs, body, request, exchange);
    checkLength(pairs ?? [], undefined, false);
    return lintWriter(respondWithWriter(respond, status, pairs, exchange), exchange);
  };
  Object.defineProperties(linted, {
    informational: {
      value: (status: number, headers?: HeadersInput) => lintInformational(respond, status, headers),
    },
    upgrade: { value: (headers?: HeadersInput | null) => lintUpgrade(respond, request, headers, exchange) },
    finished: {
      value: () => {
        const finished = respond.finished();
        assertClause(typeof finished?.then === "function", "6.6.4", "finished() did not return a promise");
        return finished;
      },
    },
    sent: { get: () => respond.sent },
  });
  dropped.register(linted, { exchange, writer: false });
  return linted as unknown as Respond;
}

function checkFirstResponse(exchange: LintedExchange): void {
  assertClause(!exchange.responded, "6.6.1", "the app responds a second time");
  if (exchange.failed) {
    exchange.warn(`${exchange.label}: the app responds after its handler has failed (section 11.1)`);
  }
}

function responded(respond: Respond, exchange: LintedExchange): void {
  exchange.responded = true;
  assertClause(respond.sent === true, "6.6.2", "respond.sent is false after a response has begun");
}

function respondWhole(
  respond: Respond,
  status: number,
  pairs: Pairs | null | undefined,
  body: ResponseBody,
  request: GatewayRequest,
  exchange: LintedExchange,
): void {
  assertClause(isContent(body), "6.4.1", `${formatValue(body)} is not valid response content`);
  const size = sizeOf(body);
  const forbidden = forbidsContent(status);
  checkLength(pairs ?? [], size, forbidden || request.method === "HEAD");
  if (forbidden && size !== 0) {
    exchange.warn(
      `${exchange.label}: content is discarded, because status ${status} has none (section 6.7.2)`,
    );
  }
  const result: unknown = respond(status, pairs, body);
  responded(respond, exchange);
  exchange.ended = true;
  assertClause(
    result === undefined,
    "6.1.1",
    `respond returned ${formatValue(result)} for a response sent in one call`,
  );
}

function respondWithWriter(
  respond: Respond,
  status: number,
  pairs: Pairs | null | undefined,
  exchange: LintedExchange,
): ResponseWriter {
  const writer = respond(status, pairs);
  responded(respond, exchange);
  // A response without content is complete at once.
  if (forbidsContent(status)) exchange.ended = true;
  for (const name of ["write", "end", "flush", "destroy"] as const) {
    assertClause(typeof writer?.[name] === "function", "6.1.2", `the writer has no ${name}`);
  }
  return writer;
}

function lintInformational(respond: Respond, status: number, headers: HeadersInput | undefined): void {
  assertClause(
    isInformationalStatus(status),
    "8.2",
    `${formatValue(status)} is not an informational status that an app can send (102 to 199)`,
  );
  const pairs = checkHeaders(headers);
  for (const [name] of pairs) {
    assertClause(
      !FINAL_FIELDS.has(name.toLowerCase()),
      "8.2",
      `the app sets ${name} in an informational response, which must not have it`,
    );
  }
  respond.informational(status, pairs);
}

function lintUpgrade(
  respond: Respond,
  request: GatewayRequest,
  headers: HeadersInput | null | undefined,
  exchange: LintedExchange,
): Duplex {
  checkFirstResponse(exchange);
  assertClause(
    request.upgrade,
    "9.3",
    "the app takes over the connection of a request that asks for no upgrade",
  );
  // A 101 may set Connection (RFC 9110 section 7.8), so check only the syntax of the fields.
  rawFields(headers);
  const connection = respond.upgrade(headers);
  responded(respond, exchange);
  exchange.ended = true;
  const duplex = typeof connection?.write === "function" && typeof connection.pipe === "function";
  assertClause(duplex, "9.1", "upgrade() did not return a Duplex");
  return connection;
}

/** A rejected promise that is not reported as unhandled (7.7). */
function rejected(error: unknown): Promise<never> {
  const promise = Promise.reject<never>(error);
  promise.catch(() => {});
  return promise;
}

function lintWriter(writer: ResponseWriter, exchange: LintedExchange): ResponseWriter {
  let ended = false;
  const piece = (chunk: unknown, method: string): void => {
    const valid = typeof chunk === "string" || chunk instanceof Uint8Array;
    assertClause(valid, "7.2", `${method}(${formatValue(chunk)}): a piece is a string or a Uint8Array`);
    if (ended) throw violation("7.4", `${method}() after the end of the response`);
  };
  const linted: ResponseWriter = {
    write: (chunk) => {
      try {
        piece(chunk, "write");
      } catch (error) {
        return rejected(error);
      }
      return promised(writer.write(chunk), "7.2", "write");
    },
    end: (chunk, trailers) => {
      try {
        piece(chunk ?? "", "end");
        for (const [name] of checkHeaders(trailers)) {
          assertClause(isTrailerName(name), "10.3", `the field ${name} is not allowed as a trailer`);
        }
      } catch (error) {
        return rejected(error);
      }
      ended = true;
      exchange.ended = true;
      return promised(writer.end(chunk, trailers), "7.3", "end");
    },
    flush: () => promised(writer.flush(), "7.1", "flush"),
    destroy: (error) => {
      assertClause(
        error === undefined || error instanceof Error,
        "7.6",
        `destroy(${formatValue(error)}): not an Error`,
      );
      exchange.ended = true;
      writer.destroy(error);
    },
  };
  dropped.register(linted, { exchange, writer: true });
  return linted;
}

function promised<T>(promise: Promise<T>, clause: string, method: string): Promise<T> {
  assertClause(typeof promise?.then === "function", clause, `${method}() did not return a promise`);
  return promise;
}
