/** The headers of a request are the same, field by field and in the same order, whether their names are remembered or not. */
import assert from "node:assert/strict";
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { test } from "node:test";
import { rememberHeaderNames } from "../../../src/server/node/header-names.ts";

type AddField = (this: unknown, name: string, value: string, fields: Record<string, unknown>) => void;

interface Message {
  readonly rawHeaders: string[];
  readonly headers: Record<string, unknown>;
  joinDuplicateHeaders?: boolean;
  _addHeaderLines(raw: string[], length: number): void;
}

const prototype = IncomingMessage.prototype as unknown as { _addHeaderLine: AddField };
const original = prototype._addHeaderLine;
let learned = 0;
/** Node's own, counted. */
const counted: AddField = function (name, value, fields) {
  learned += 1;
  original.call(this, name, value, fields);
};

/** Fields, each with a name and a value, and what is special about them. */
const HEADS: { readonly [what: string]: readonly string[] } = {
  "an ordinary head": ["Host", "a", "User-Agent", "x", "Accept", "*/*", "Cookie", "a=b", "X-Own", "1"],
  "names in other cases": ["HOST", "a", "uSER-aGENT", "x", "x-OWN", "1", "X-Own", "2", "x-own", "3"],
  "repeated fields that are joined": [
    "Accept",
    "a",
    "accept",
    "b",
    "Cookie",
    "a=b",
    "cookie",
    "c=d",
    "X",
    "1",
    "x",
    "2",
  ],
  "repeated fields of which the first counts": [
    "Content-Type",
    "a",
    "content-type",
    "b",
    "Age",
    "1",
    "Age",
    "2",
  ],
  "Set-Cookie": ["Set-Cookie", "a=b", "set-cookie", "c=d", "Host", "a"],
  "one Set-Cookie": ["Set-Cookie", "a=b"],
  "names that every object has": [
    "constructor",
    "a",
    "toString",
    "b",
    "__proto__",
    "c",
    "hasOwnProperty",
    "d",
  ],
  "names that every object has, again": [
    "Constructor",
    "a",
    "valueOf",
    "b",
    "__PROTO__",
    "c",
    "constructor",
    "e",
  ],
  "empty values": ["Accept", "", "Accept", "b", "Host", "", "Host", "a", "X-Own", "", "X-Own", "1"],
  "no fields": [],
};

function headersOf(add: AddField, head: readonly string[], joins: boolean): Record<string, unknown> {
  prototype._addHeaderLine = add;
  try {
    const message = new IncomingMessage(new Socket()) as unknown as Message;
    message.joinDuplicateHeaders = joins;
    message._addHeaderLines([...head], head.length);
    return message.headers;
  } finally {
    prototype._addHeaderLine = original;
  }
}

function remembering(): AddField {
  const messages = { _addHeaderLine: counted };
  rememberHeaderNames(messages);
  assert.notEqual(messages._addHeaderLine, counted);
  return messages._addHeaderLine;
}

for (const joins of [false, true]) {
  test(`headers are the same with remembered names${joins ? ", where repeated fields are joined" : ""}`, () => {
    const add = remembering();
    // The second time all names are known.
    for (const round of ["new", "known"]) {
      for (const [what, head] of Object.entries(HEADS)) {
        const expected = headersOf(original, head, joins);
        const found = headersOf(add, head, joins);
        assert.deepEqual(Object.entries(found), Object.entries(expected), `${what}, ${round}`);
        assert.equal(Object.getPrototypeOf(found), Object.getPrototypeOf(expected), what);
      }
    }
  });
}

test("node treats a name once, and then only fields that are repeated, or kept in another way", () => {
  const add = remembering();
  const ordinary = HEADS["an ordinary head"] as readonly string[];
  headersOf(add, ordinary, false);
  learned = 0;
  headersOf(add, ordinary, false);
  assert.equal(learned, 0);
  headersOf(add, [...ordinary, "Accept", "b", "Set-Cookie", "a=b"], false);
  // Set-Cookie is new: once to see how it is kept, once to add it.
  assert.equal(learned, 3);
});

test("a client that sends ever new names is answered like any other", () => {
  const add = remembering();
  for (let number = 0; number < 2000; number += 1) {
    assert.deepEqual(
      { ...headersOf(add, [`X-${number}`, "a", "Host", "b"], false) },
      { [`x-${number}`]: "a", host: "b" },
    );
  }
});

test("it is done once, and not where node has no such method", () => {
  const messages: { _addHeaderLine?: AddField } = { _addHeaderLine: original };
  rememberHeaderNames(messages);
  const once = messages._addHeaderLine;
  rememberHeaderNames(messages);
  assert.equal(messages._addHeaderLine, once);
  const without: { _addHeaderLine?: AddField } = {};
  rememberHeaderNames(without);
  assert.equal(without._addHeaderLine, undefined);
});
