/** Lines made with the help of the connection's last one are those that are made anew, whatever bytes a client sends. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { nearestName } from "../../src/config/nearest-name.ts";
import { ATOMS } from "../../src/log/access-atoms.ts";
import type { AccessEntry } from "../../src/log/access-entry.ts";
import { compileAccessFormat, PRESETS } from "../../src/log/access-format.ts";
import { LineMemo } from "../../src/log/line-memo.ts";
import { Random } from "../support/random.ts";

const WORKER = { pid: 4711, slot: 2, env: { STAGE: 'bl"ue\n' } };

/** Every atom, in plain text, inside a JSON string and as a JSON value. */
const NAMES = [...Object.keys(ATOMS), "{x}i", "{x}o", "{STAGE}e", "{NONE}e"];
const FORMATS = [
  ...Object.keys(PRESETS),
  NAMES.map((name) => `"%(${name})s"`).join(" "),
  NAMES.map((name) => `%(${name})s`).join(""),
  `{${NAMES.map((name, index) => `"${index}":%(${name})s,"in${index}":"<%(${name})s>"`).join(",")}}`,
  "%(r)s",
  '{"r":%(r)s,"again":"%(r)s"}',
  "no atoms",
];

const FIELDS = ["referer", "user-agent", "authorization", "traceparent", "x"];
const SPECIAL = ['"', "\\", "\n", "\r", "\0", "\t", " ", "\x7f", "\x80", "\xff", "%", "{", "\u2028", "é"];

function bytes(random: Random): string {
  const length = random.pick([0, 1, 3, 12, 13, 14, 60, 3000]);
  let text = "";
  while (text.length < length) {
    text += random.below(3) === 0 ? random.pick(SPECIAL) : String.fromCharCode(random.below(256));
  }
  return text;
}

function basic(random: Random): string {
  return `Basic ${Buffer.from(`${bytes(random)}:x`, "latin1").toString("base64")}`;
}

type Parts = { -readonly [Name in keyof AccessEntry]: AccessEntry[Name] } & {
  readonly fields: { [name: string]: string | undefined };
};

function anything(random: Random): Parts {
  return {
    time: 1e12 + random.below(1e6),
    duration: random.pick([0, 0.0004, 0.25, 3, 999.9999999, 1234.9999999999998, 60_000.5, -0.5]),
    remote: bytes(random),
    method: random.pick(["GET", "POST", "", bytes(random)]),
    target: random.pick(["/", "/a?b", "", bytes(random)]),
    protocol: random.pick(["HTTP/1.1", "HTTP/1.0", "", bytes(random)]),
    status: random.pick([200, 304, 404, 499]),
    bytes: random.pick([0, 13, 1e9]),
    id: random.pick(["id-1", "", bytes(random)]),
    end: random.pick(["complete", "truncated"]),
    trusted: random.pick([true, false]),
    fields: Object.fromEntries(FIELDS.map((name) => [name, random.pick([undefined, bytes(random)])])),
    requestField: () => undefined,
    responseField: () => undefined,
  };
}

/** Changes some members, as the next request of a connection may. */
function change(parts: Parts, random: Random): void {
  const other = anything(random);
  const names = Object.keys(other) as (keyof Parts)[];
  for (let count = random.below(4); count > 0; count--) {
    const name = random.pick(names);
    if (name === "fields") {
      const field = random.pick(FIELDS);
      parts.fields[field] = field === "authorization" ? basic(random) : other.fields[field];
    } else Object.assign(parts, { [name]: other[name] });
  }
}

/** A new entry, whose text is cut from longer text, as the engine does it. */
function entryOf(parts: Parts, memo: LineMemo | undefined): AccessEntry {
  const cut = (text: string | undefined): string | undefined => text && `<<${text}>>`.slice(2, -2);
  return {
    ...parts,
    target: cut(parts.target) as string,
    requestField: (name) => cut(parts.fields[name]),
    responseField: (name) => cut(parts.fields[name]),
    ...(memo && { memo }),
  };
}

for (const [index, format] of FORMATS.entries()) {
  test(`a line with a memo equals one without: ${format.slice(0, 40)}`, () => {
    const random = new Random(index + 1);
    const make = compileAccessFormat(format, WORKER, nearestName);
    const connections = [1, 2, 3].map(() => ({ memo: new LineMemo(), parts: anything(random) }));
    for (let round = 0; round < 3000; round++) {
      const { memo, parts } = random.pick(connections);
      // The third connection carries the requests of many clients.
      if (memo === connections[2]?.memo) Object.assign(parts, anything(random));
      else change(parts, random);
      const line = make(entryOf(parts, memo));
      assert.equal(line, make(entryOf(parts, undefined)));
      assert.equal(line.indexOf("\n"), line.length - 1);
      assert.match(line, /^[ -~é]*\n$/);
      if (format.startsWith("{")) JSON.parse(line);
    }
  });
}

test("a stretch of a connection is made once, until one of its values changes", () => {
  const random = new Random(1);
  const make = compileAccessFormat("combined", WORKER, nearestName);
  const memo = new LineMemo();
  const parts = anything(random);
  Object.assign(parts, { remote: "::1", method: "GET", target: "/a", protocol: "HTTP/1.1", fields: {} });
  make(entryOf(parts, memo));
  const [before] = memo.texts;
  Object.assign(parts, { target: "/b", bytes: 14 });
  make(entryOf(parts, memo));
  assert.equal(memo.texts[0], before);
  parts.method = "POST";
  make(entryOf(parts, memo));
  assert.notEqual(memo.texts[0], before);
  assert.match(memo.texts[0]?.text as string, /"POST $/);
});

test("milliseconds are written as V8 writes the number", () => {
  const random = new Random(1);
  const make = compileAccessFormat("%(ms)s", WORKER, nearestName);
  const parts = anything(random);
  for (let round = 0; round < 20_000; round++) {
    const scale = random.pick([1, 1000, 1e6, 1e9]);
    parts.duration = round < 3000 ? round / 1000 : (random.below(1e9) / 1e9) * scale - 0.1;
    const line = make(entryOf(parts, undefined));
    assert.equal(line, `${Math.floor(parts.duration * 1000) / 1000}\n`);
  }
});

test("what a memo keeps is bounded", () => {
  const make = compileAccessFormat("combined", WORKER, nearestName);
  const memo = new LineMemo();
  const parts = anything(new Random(1));
  Object.assign(parts, { method: "GET", target: "/a", protocol: "HTTP/1.1" });
  // The second is long, but not its text.
  for (const name of ["user-agent", "authorization"]) parts.fields[name] = "x".repeat(8000);
  for (let count = 0; count < 10; count++) make(entryOf(parts, memo));
  const kept = memo.texts.flatMap((text) => [text?.text ?? "", ...(text?.values ?? [])]);
  assert.ok(kept.every((value) => typeof value !== "string" || value.length <= 2048));
});
