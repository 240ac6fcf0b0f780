/** The head of a request (RFC 9112 sections 3, 5 and 6). */
import { refusal } from "./errors.ts";
import { options, type Pairs, parseField, TOKEN } from "./fields.ts";

const HOST = /^(\[[\da-fA-FvV:.%]+\]|[\w\-.~%!$&'()*+,;=]*)(:\d*)?$/;

/** No head is longer, in bytes. */
export const HEAD_LIMIT = 32_768;

export interface Head {
  readonly method: string;
  readonly target: string;
  readonly path: string;
  readonly query: string;
  readonly httpVersion: "1.0" | "1.1";
  readonly host: string;
  readonly pairs: Pairs;
  readonly length: number | undefined;
  readonly upgrade: boolean;
  readonly keepAlive: boolean;
  readonly expects: boolean;
}

/** RFC 9112 sections 3, 5 and 6. Throws an error with the status for the refusal. */
export function parseHead(text: string): Head {
  const [first = "", ...rest] = text.split("\r\n");
  const [, method = "", target = "", major, minor] = /^(\S+) (\S+) HTTP\/(\d)\.(\d)$/.exec(first) ?? [];
  if (!TOKEN.test(method) || !/^[\x21-\x7e]+$/.test(target))
    throw refusal(400, "the request line is invalid");
  if (major !== "1") throw refusal(505, "the version of HTTP is unknown");
  const httpVersion = minor === "0" ? "1.0" : "1.1";
  const pairs = rest.map(parseField);
  const values = (name: string): string[] =>
    pairs.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value);

  const hosts = values("host");
  if (hosts.length > 1 || (hosts.length === 0 && httpVersion === "1.1")) throw refusal(400, "not one Host");
  const absolute = /^[A-Za-z][A-Za-z\d+.-]*:\/\/([^/?]*)([^?]*)(.*)$/.exec(target);
  const connects = method === "CONNECT";
  if (
    connects
      ? !/^[^/?@]+:\d+$/.test(target)
      : !(target.startsWith("/") || absolute !== null || (target === "*" && method === "OPTIONS"))
  )
    throw refusal(400, "the target is invalid");
  const authority = connects ? target : absolute?.[1];
  for (const each of [...hosts, authority ?? ""])
    if (!HOST.test(each)) throw refusal(400, "the host is invalid");
  if (absolute !== null && authority === "") throw refusal(400, "the target has no host");
  const mark = target.indexOf("?");
  const ofTarget = absolute === null ? (mark < 0 ? target : target.slice(0, mark)) : absolute[2] || "/";

  const codings = values("transfer-encoding").length > 0 ? options(pairs, "transfer-encoding") : undefined;
  const lengths = values("content-length");
  if (codings !== undefined) {
    if (httpVersion === "1.0" || lengths.length > 0) throw refusal(400, "the framing is ambiguous");
    if (codings.at(-1) !== "chunked" || codings.indexOf("chunked") !== codings.length - 1)
      throw refusal(400, "the last transfer coding is not chunked");
    if (codings.length > 1) throw refusal(501, "a transfer coding is unknown");
  }
  if (lengths.length > 1 || !lengths.every((each) => /^\d{1,15}$/.test(each)))
    throw refusal(400, "Content-Length is invalid");
  const length = codings === undefined ? Number(lengths[0] ?? 0) : undefined;
  const expectations = httpVersion === "1.1" ? options(pairs, "expect") : [];
  if (expectations.some((each) => each !== "100-continue")) throw refusal(417, "the expectation is unknown");
  const connection = options(pairs, "connection");
  const asks =
    connects || (httpVersion === "1.1" && values("upgrade").length > 0 && connection.includes("upgrade"));
  return {
    method,
    target,
    path: connects ? "" : ofTarget,
    query: mark < 0 || connects ? "" : target.slice(mark + 1),
    httpVersion,
    host: authority ?? hosts[0] ?? "",
    pairs,
    length,
    upgrade: asks && length === 0,
    keepAlive: !connection.includes("close") && (httpVersion === "1.1" || connection.includes("keep-alive")),
    expects: expectations.length > 0,
  };
}
