/** Heads are put together from what was sent before; each must be as if it were the first. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { plainFields, plainHead, responseHead } from "../../src/http/response-head.ts";
import { Random } from "../support/random.ts";

/** More than the number that remembers values. */
const NAMES = Array.from({ length: 60 }, (_, index) => `X-Name-${index}`);
const VALUES = ["", "a", "b", "\xe4\xff", "tab\tinside", "x".repeat(200), "y".repeat(201), "z".repeat(3000)];
const REFUSED = ["line\nfeed", "\u20ac", "nul\0"];

function expected(headers: { readonly [name: string]: string }): string | undefined {
  let text = "";
  for (const [name, value] of Object.entries(headers)) {
    if (REFUSED.includes(value)) return undefined;
    text += `${name}: ${value}\r\n`;
  }
  return text;
}

test("the lines of fields are those of their values, whatever was sent before", () => {
  const random = new Random(12);
  const recent: { [name: string]: string }[] = [];
  for (let run = 0; run < 20_000; run += 1) {
    const repeats = recent.length > 0 && random.below(2) === 0;
    const headers: { [name: string]: string } = repeats ? { ...random.pick(recent) } : {};
    for (let count = random.below(repeats ? 2 : 5); count > 0; count -= 1)
      headers[random.pick(NAMES)] = random.pick(random.below(20) === 0 ? REFUSED : VALUES);
    if (recent.length < 20) recent.push(headers);
    else recent[random.below(20)] = headers;
    assert.equal(plainFields(headers), expected(headers));
  }
});

test("fields that the server sets itself, and invalid ones, take the other path each time", () => {
  for (const name of ["Connection", "content-length", "Date", "transfer-encoding", "white space", "", "a:b"])
    for (let time = 0; time < 3; time += 1) assert.equal(plainFields({ [name]: "1" }), undefined, name);
  for (const value of [1, undefined, null, ["a"]])
    for (let time = 0; time < 3; time += 1) assert.equal(plainFields({ "x-odd": value }), undefined);
  assert.equal(plainFields([["x-pair", "1"]]), undefined);
});

test("a plain head is the head that the general path makes", () => {
  const random = new Random(34);
  const fields = [[], ["A", "1"], ["A", "2"], ["A", "1", "B", "\xe4"]];
  for (let run = 0; run < 5000; run += 1) {
    const pairs = random.pick(fields);
    const lines = plainFields(
      Object.fromEntries(pairs.flatMap((_, at) => (at % 2 ? [] : [pairs.slice(at, at + 2)]))),
    );
    const framing = {
      length: random.pick([0, 1, 13, 2047, 2048, 1e9]),
      chunked: false,
      keepAlive: random.below(4) > 0,
      announceKeepAlive: random.below(4) === 0,
    };
    const now = 1e12 + random.below(3) * 1000;
    const status = random.pick([200, 404]);
    assert.equal(plainHead(status, lines as string, framing, now), responseHead(status, pairs, framing, now));
  }
});
