/** The facts of a head, noted before its fields are split, agree with the fields. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestHead } from "../../src/http/request-head.ts";
import { RequestParser } from "../../src/http/request-parser.ts";
import { DEFAULT_LIMITS } from "../../src/server/server-options.ts";

function parse(lines: readonly string[]): RequestHead {
  let parsed: RequestHead | undefined;
  const parser = new RequestParser(DEFAULT_LIMITS, {
    onHead: (head) => {
      parsed = head;
    },
    onBody: () => {},
    onEnd: () => {},
  });
  parser.execute(Buffer.from(`GET / HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`, "latin1"));
  return parsed as RequestHead;
}

test("Host is the value of its field, and empty without one", () => {
  for (const host of ["a.example", "b.example:8080", "b.example:8080", "[::1]", ""]) {
    const head = parse([`HOST: \t${host} `]);
    assert.equal(head.host, host);
    assert.equal(head.rawHeaders[1], host);
  }
  let host: string | undefined;
  const parser = new RequestParser(DEFAULT_LIMITS, {
    onHead: (head) => {
      host = head.host;
    },
    onBody: () => {},
    onEnd: () => {},
  });
  for (const [text, expected] of [
    ["GET / HTTP/1.0\r\nHost: before\r\nConnection: keep-alive\r\n\r\n", "before"],
    ["GET / HTTP/1.0\r\n\r\n", ""],
  ] as const) {
    parser.execute(Buffer.from(text, "latin1"));
    assert.equal(host, expected);
  }
});
