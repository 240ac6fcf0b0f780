import assert from "node:assert/strict";
import { test } from "node:test";
import { isStrayHeader } from "../../../src/server/front/stray-header.ts";
import { binaryHeader, LOCAL, textHeader } from "../../support/proxy-headers.ts";

test("a PROXY header is recognised in a refused request, and nothing else is", () => {
  const binary = binaryHeader(LOCAL, 0, Buffer.alloc(0)).toString("latin1");
  for (const text of [
    textHeader("192.0.2.1"),
    textHeader("::1"),
    "PROXY UNKNOWN\r\n",
    binary,
    binary.slice(2),
    binary.slice(4),
  ])
    assert.ok(isStrayHeader(text), JSON.stringify(text));
  for (const text of ["", "GET / HTTP/1.1\r\n", "PROXY / HTTP/9\r\n", "\0", "\r\nQUIT\n", " PROXY TCP4 "])
    assert.ok(!isStrayHeader(text), JSON.stringify(text));
});
