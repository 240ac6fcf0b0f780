/** A request's URL equals that of `new URL`, with and without the fast path. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HttpError } from "../../src/errors.ts";
import type { GatewayRequest } from "../../src/gateway/types.ts";
import { requestUrl } from "../../src/interop/request-url.ts";

function urlOf(host: string, path: string, query = "", rootPath = "", scheme = "http"): string {
  return requestUrl({ scheme, host, rootPath, path, query } as GatewayRequest);
}

/** The URL by the standard parser. */
function expected(host: string, path: string, query: string, rootPath: string, scheme: string): string {
  return new URL(`${scheme}://${host || "localhost"}${rootPath}${path}${query === "" ? "" : `?${query}`}`)
    .href;
}

const HOSTS = [
  "example.com",
  "EXAMPLE.com",
  "a:80",
  "a:443",
  "a:8080",
  "[::1]:8080",
  "[::0001]",
  "127.1",
  "",
  "bücher.de",
];
const PIECES = [
  "a",
  "Z9",
  "-",
  "_",
  "~",
  "!",
  "$",
  "&",
  "'",
  "(",
  ")",
  "*",
  "+",
  ",",
  ";",
  "=",
  ":",
  "@",
  ".",
  "..",
  "%2e",
  "%2E",
  "%",
  "%41",
];
const MORE = [
  "%zz",
  "/",
  "//",
  "/.",
  "/..",
  "/./",
  "/../",
  '"',
  "<",
  ">",
  "`",
  "{",
  "}",
  "|",
  "^",
  "\\",
  "[",
  "]",
  "?",
  "é",
];

test("the URL equals new URL's for any host, path and query", () => {
  // A seeded generator, so that a failure can be reproduced.
  let seed = 4242;
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  const text = (pieces: readonly string[], most: number): string =>
    Array.from({ length: random(most) }, () => pieces[random(pieces.length)]).join("");
  let plain = 0;
  for (let round = 0; round < 100_000; round++) {
    const host = HOSTS[random(HOSTS.length)] as string;
    const pieces = random(2) === 0 ? PIECES : [...PIECES, ...MORE];
    const path = `/${text([...pieces, "/"], 6)}`.replaceAll("?", "");
    const query = text(pieces, 5);
    const rootPath = ["", "", "/shop", "/a.b"][random(4)] as string;
    const scheme = ["http", "https"][random(2)] as string;
    const want = expected(host, path, query, rootPath, scheme);
    assert.equal(urlOf(host, path, query, rootPath, scheme), want, JSON.stringify([host, path, query]));
    if (want.endsWith(path + (query === "" ? "" : `?${query}`))) plain += 1;
  }
  assert.ok(plain > 10_000, `${plain} of them were plain`);
});

test("OPTIONS * has the path /*", () => assert.equal(urlOf("a", "*"), "http://a/*"));

test("a host that is invalid in a URL causes a 400 each time", () => {
  for (const host of ["a b", "user@a", "user:secret@a", "a:port", "[::1"]) {
    for (let time = 0; time < 2; time++) {
      assert.throws(
        () => urlOf(host, "/"),
        (error) => error instanceof HttpError && error.status === 400,
        host,
      );
    }
  }
});

test("more hosts than the cache holds", () => {
  for (let number = 0; number < 1000; number++)
    assert.equal(urlOf(`H${number}.example`, "/x", "y=1"), `http://h${number}.example/x?y=1`);
});
