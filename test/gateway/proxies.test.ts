import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePeerRange, parseRootPath } from "../../src/gateway/proxies.ts";

test("parsePeerRange accepts addresses, ranges, unix and *", () => {
  assert.deepEqual(parsePeerRange("*"), { kind: "any" });
  assert.deepEqual(parsePeerRange("unix"), { kind: "unix" });
  const addresses = (family: string, address: string, bits: number) => ({
    kind: "addresses",
    family,
    address,
    bits,
  });
  assert.deepEqual(parsePeerRange("10.0.0.1"), addresses("ipv4", "10.0.0.1", 32));
  assert.deepEqual(parsePeerRange("10.0.0.0/8"), addresses("ipv4", "10.0.0.0", 8));
  assert.deepEqual(parsePeerRange("0.0.0.0/0"), addresses("ipv4", "0.0.0.0", 0));
  assert.deepEqual(parsePeerRange("::1"), addresses("ipv6", "::1", 128));
  assert.deepEqual(parsePeerRange("2001:db8::/32"), addresses("ipv6", "2001:db8::", 32));
});

for (const wrong of [
  "",
  "localhost",
  "10.0.0",
  "10.0.0.1:80",
  "10.0.0.0/33",
  "10.0.0.0/",
  "10.0.0.0/-1",
  "10.0.0.0/8/8",
  "10.0.0.0/8x",
  "::/129",
  "[::1]",
  "fe80::1%lo",
  "**",
]) {
  test(`${JSON.stringify(wrong)} is not a peer`, () => assert.throws(() => parsePeerRange(wrong), /"/));
}

for (const [text, path] of [
  ["/", ""],
  ["", ""],
  ["/app", "/app"],
  ["/app/", "/app"],
  ["/a/b-c/~d", "/a/b-c/~d"],
  ["/a%20b", "/a%20b"],
  ["app", undefined],
  ["//evil.example", undefined],
  ["/a//b", undefined],
  ["/a/../b", undefined],
  ["/a/%2E%2e", undefined],
  ["/./a", undefined],
  ["/a?b", undefined],
  ["/a#b", undefined],
  ["/a b", undefined],
  ["/a\\b", undefined],
  ["/a%2", undefined],
  ["https://evil.example/", undefined],
] as const) {
  test(`parseRootPath of ${JSON.stringify(text)}`, () => assert.equal(parseRootPath(text), path));
}
