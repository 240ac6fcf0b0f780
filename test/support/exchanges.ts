/**
 * Numbered requests of many shapes, each with its only correct response: GET and POST, content of
 * any size with a length or in chunks, heads and content in separate writes.
 */
import { headerOf, type ReceivedAnswer } from "./answer-reader.ts";
import type { Exchange, LoadOptions } from "./load.ts";

/** With what HTTP/2 sends as fields and content. */
export interface MirroredExchange extends Exchange {
  readonly target: string;
  readonly body: Buffer;
}

type Make = LoadOptions["make"];

/** How the nth request looks. */
interface Shape {
  readonly number: number;
  readonly method: "GET" | "POST";
  readonly target: string;
  /** In the order in which they are sent. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
  readonly parts: readonly Buffer[];
}

export interface ShapeOptions {
  /** Which methods; by default GET and POST in turn. */
  readonly methods?: readonly ("GET" | "POST")[];
  /** The query of the nth request, or "". */
  readonly query?: (number: number) => string;
}

/** Sizes of content, in bytes: none, some, and more than one read holds. The last is rare. */
const SIZES = [0, 1, 17, 300, 1400, 4096, 9000, 20_000];
const LARGE = 150_000;
const LARGE_EVERY = 97;

/** Bytes of every value, without a period that a buffer's size could share. */
const POOL = Buffer.from(
  Array.from({ length: 400_009 }, (_, at) => (at * at * 31 + (at >> 3) * 7 + at) & 255),
);

function shape(number: number, mode: LoadOptions["mode"], options: ShapeOptions): Shape {
  const methods = options.methods ?? ["GET", "POST"];
  const method = methods[number % methods.length] ?? "POST";
  const turn = Math.floor(number / methods.length);
  const query = options.query?.(number) ?? "";
  const target = `/request/${number}${query === "" ? "" : `?${query}`}`;
  const size = number % LARGE_EVERY === LARGE_EVERY - 1 ? LARGE : (SIZES[turn % SIZES.length] ?? 0);
  const from = (number * 7919) % (POOL.length - LARGE);
  const body = method === "GET" ? Buffer.alloc(0) : POOL.subarray(from, from + size);
  const chunked = method === "POST" && turn % 3 === 1;
  const headers: [string, string][] = [
    ["Host", "load.test"],
    ["X-Number", `${number}`],
  ];
  if (chunked) headers.push(["Transfer-Encoding", "chunked"]);
  else if (method === "POST") headers.push(["Content-Length", `${size}`]);
  if (mode === "close") headers.push(["Connection", "close"]);
  const fields = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const head = Buffer.from(`${method} ${target} HTTP/1.1\r\n${fields}\r\n`, "latin1");
  const content = chunked ? inChunks(body, number) : body;
  // One in five comes in two pieces, cut where it hurts.
  const parts =
    number % 5 === 4 ? cut(Buffer.concat([head, content]), number) : [Buffer.concat([head, content])];
  return { number, method, target, headers, body, parts };
}

function inChunks(body: Buffer, number: number): Buffer {
  const pieces: Buffer[] = [];
  const size = 1 + ((number * 613) % 5000);
  for (let at = 0; at < body.length; at += size) {
    const piece = body.subarray(at, at + size);
    pieces.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n"));
  }
  return Buffer.concat([...pieces, Buffer.from("0\r\n\r\n")]);
}

function cut(bytes: Buffer, number: number): Buffer[] {
  const at = 1 + ((number * 271) % (bytes.length - 1));
  return [bytes.subarray(0, at), bytes.subarray(at)];
}

function exchange(made: Shape, check: Exchange["check"]): Exchange {
  const { number, method, target, body, parts } = made;
  const kind = made.headers.some(([name]) => name === "Transfer-Encoding") ? "chunked" : "sized";
  const label = `#${number} ${method} ${target} (${body.length} bytes ${kind}, ${parts.length} writes)`;
  return { label, method, parts, check };
}

/** For the mirror fixtures, which respond with the request line without its version, and the content. */
export function mirrored(
  options: ShapeOptions = {},
): (number: number, mode: LoadOptions["mode"]) => MirroredExchange {
  return (number, mode) => {
    const made = shape(number, mode, options);
    const { method, target, body } = made;
    const expected = Buffer.concat([Buffer.from(`${method} ${target}\n`), body]);
    const check: Exchange["check"] = (answer) => checkStatus(answer) ?? checkBytes(answer.body, expected);
    return { ...exchange(made, check), target, body };
  };
}

/**
 * For `examples/echo`: the answer is a JSON of the request. Asked directly, each byte of it is known. Through a
 * proxy, which has header fields and a version of its own, the rest is.
 */
export function echoed(options: ShapeOptions & { readonly proxy?: boolean } = {}): Make {
  return (number, mode) => {
    const made = shape(number, mode, options);
    return exchange(made, (answer) => {
      const fault = checkStatus(answer);
      if (fault !== undefined) return fault;
      if (options.proxy === true) return checkProxiedEcho(answer, made);
      const { method, target, headers } = made;
      const body = made.body.toString("base64");
      const echo = { method, target, version: "1.1", headers, body, trailers: [] };
      return checkBytes(answer.body, Buffer.from(`${JSON.stringify(echo)}\n`));
    });
  };
}

function checkProxiedEcho(answer: ReceivedAnswer, made: Shape): string | undefined {
  const text = answer.body.toString("utf8");
  const echo = JSON.parse(text) as { headers: [string, string][]; version: string };
  const number = echo.headers.filter(([name]) => name.toLowerCase() === "x-number");
  if (number.length !== 1 || number[0]?.[1] !== `${made.number}`)
    return `X-Number is ${JSON.stringify(number)}`;
  const { method, target } = made;
  const { version, headers } = echo;
  const expected = { method, target, version, headers, body: made.body.toString("base64"), trailers: [] };
  return checkBytes(answer.body, Buffer.from(`${JSON.stringify(expected)}\n`));
}

function checkStatus(answer: ReceivedAnswer): string | undefined {
  if (answer.status === 200) return undefined;
  const says = JSON.stringify(answer.body.toString("utf8", 0, 120));
  return `status ${answer.status} (${headerOf(answer, "server") ?? "no Server"}): ${says}`;
}

function checkBytes(actual: Buffer, expected: Buffer): string | undefined {
  if (actual.equals(expected)) return undefined;
  let at = 0;
  while (at < actual.length && actual[at] === expected[at]) at += 1;
  const [is, should] = [actual, expected].map((bytes) =>
    JSON.stringify(bytes.toString("latin1", at, at + 40)),
  );
  return `${actual.length} bytes of ${expected.length}; from byte ${at} on it is ${is}, not ${should}`;
}
