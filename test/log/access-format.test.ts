/** Access log formats: every atom, the presets, what is refused, and what no client can do to a line. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { nearestName } from "../../src/config/nearest-name.ts";
import { ATOMS } from "../../src/log/access-atoms.ts";
import type { AccessEntry } from "../../src/log/access-entry.ts";
import { compileAccessFormat, PRESETS } from "../../src/log/access-format.ts";

const WORKER = { pid: 4711, slot: 2, env: { STAGE: "blue" } };
const TIME = Date.parse("2026-11-22T22:15:18.123Z");

interface Sent {
  readonly fields?: Readonly<Record<string, string>>;
  readonly answer?: Readonly<Record<string, string>>;
}

function entry({ fields = {}, answer = {}, ...known }: Partial<AccessEntry> & Sent = {}): AccessEntry {
  return {
    time: TIME,
    duration: 1234.5678,
    remote: "203.0.113.7",
    method: "GET",
    target: "/a%20b?x=1&y",
    protocol: "HTTP/1.1",
    status: 404,
    bytes: 12,
    id: "id-1",
    end: "complete",
    trusted: false,
    requestField: (name) => fields[name],
    responseField: (name) => answer[name],
    ...known,
  };
}

function line(format: string, of: AccessEntry): string {
  const text = compileAccessFormat(format, WORKER, nearestName)(of);
  assert.ok(text.endsWith("\n"));
  assert.equal(text.indexOf("\n"), text.length - 1, "one line");
  return text.slice(0, -1);
}

const SENT = {
  fields: {
    referer: "https://example.com/",
    "user-agent": "curl/8",
    authorization: `Basic ${Buffer.from("Aladdin:open sesame").toString("base64")}`,
    traceparent: "00-aa-bb-01",
    host: "example.com",
  },
  answer: { "content-type": "text/html" },
};

const EXPECTED: { readonly [atom: string]: string } = {
  h: "203.0.113.7",
  l: "-",
  u: "Aladdin",
  r: "GET /a%20b?x=1&y HTTP/1.1",
  m: "GET",
  target: "/a%20b?x=1&y",
  U: "/a%20b",
  q: "x=1&y",
  H: "HTTP/1.1",
  s: "404",
  st: "Not Found",
  B: "12",
  b: "12",
  f: "https://example.com/",
  a: "curl/8",
  T: "1",
  M: "1234",
  D: "1234567",
  L: "1.234567",
  p: "<4711>",
  id: "id-1",
  end: "complete",
  iso: "2026-11-22T22:15:18.123Z",
  ms: "1234.567",
  traceparent: "-",
  pid: "4711",
  slot: "2",
  "{Host}i": "example.com",
  "{x-none}i": "-",
  "{Content-Type}o": "text/html",
  "{x-none}o": "-",
  "{STAGE}e": "blue",
  "{NONE}e": "-",
};

test("every atom has its value", () => {
  for (const [name, value] of Object.entries(EXPECTED)) {
    assert.equal(line(`%(${name})s`, entry(SENT)), value, name);
  }
  assert.deepEqual(
    Object.keys(ATOMS).filter((name) => EXPECTED[name] === undefined),
    ["t"],
  );
  assert.match(line("%(t)s", entry()), /^\[2[123]\/Nov\/2026:\d\d:\d\d:18 [+-]\d{4}\]$/);
  assert.equal(line("%(traceparent)s", entry({ ...SENT, trusted: true })), "00-aa-bb-01");
});

test("a request without response or fields", () => {
  const bare = entry({
    bytes: 0,
    remote: "",
    method: "",
    target: "",
    protocol: "",
    status: 408,
    duration: 0,
  });
  const dashes = "- - - - - - - -";
  assert.equal(line("%(h)s %(u)s %(r)s %(m)s %(U)s %(H)s %(f)s %(a)s", bare), dashes);
  assert.equal(line("%(b)s %(B)s %(q)s| %(T)s %(D)s %(L)s", bare), "- 0 | 0 0 0.000000");
});

test("the cached time changes with the second", () => {
  const make = compileAccessFormat("%(t)s", WORKER, nearestName);
  assert.match(make(entry()), /:18 /);
  assert.match(make(entry({ time: TIME + 1000 })), /:19 /);
  assert.match(make(entry()), /:18 /);
});

test("invalid credentials yield no user", () => {
  for (const authorization of ["Bearer abc", "Basic", "Basic ", "Basic \xff\xff", `Basic ${btoa(":x")}`]) {
    assert.equal(line("%(u)s", entry({ fields: { authorization } })), "-", authorization);
  }
});

test("presets: common, combined as gunicorn's default, json", () => {
  assert.equal(
    line("combined", entry(SENT)).replace(/\[.*?\]/, "[T]"),
    '203.0.113.7 - Aladdin [T] "GET /a%20b?x=1&y HTTP/1.1" 404 12 "https://example.com/" "curl/8"',
  );
  assert.equal(
    line("common", entry()).replace(/\[.*?\]/, "[T]"),
    '203.0.113.7 - - [T] "GET /a%20b?x=1&y HTTP/1.1" 404 12',
  );
  assert.deepEqual(JSON.parse(line("json", entry({ ...SENT, trusted: true }))), {
    time: "2026-11-22T22:15:18.123Z",
    pid: 4711,
    slot: 2,
    id: "id-1",
    remote: "203.0.113.7",
    user: "Aladdin",
    method: "GET",
    target: "/a%20b?x=1&y",
    protocol: "HTTP/1.1",
    status: 404,
    bytes: 12,
    duration: 1234.567,
    referer: "https://example.com/",
    userAgent: "curl/8",
    traceparent: "00-aa-bb-01",
    end: "complete",
  });
  const bare = JSON.parse(line("json", entry({ remote: "", method: "", target: "", protocol: "" })));
  assert.equal(bare.remote, null);
  assert.equal(bare.method, null);
  assert.equal(bare.userAgent, null);
});

const ALL_BYTES = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join("");

test("no byte of a request can end a line, close a quotation, or imitate another", () => {
  const seen = new Set<string>();
  for (const byte of ALL_BYTES) {
    const text = line('"%(a)s"', entry({ fields: { "user-agent": byte } }));
    assert.match(text, /^"[ !#-~]+"$/);
    seen.add(text);
  }
  assert.equal(seen.size, 256);
  assert.equal(
    line("%(a)s", entry({ fields: { "user-agent": 'a"\\\r\n\x00\xe9' } })),
    "a\\x22\\x5C\\x0D\\x0A\\x00\\xE9",
  );
});

test("values outside quotation marks stay one word", () => {
  const fields = { authorization: `Basic ${btoa("a b\tc:x")}` };
  assert.equal(line("%(u)s", entry({ fields })), "a\\x20b\\x09c");
  assert.equal(
    line("%(U)s %(q)s %(target)s", entry({ target: "/a b?c d" })),
    "/a\\x20b c\\x20d /a\\x20b?c\\x20d",
  );
  assert.equal(line('"%(r)s"', entry({ target: "/a b" })), '"GET /a b HTTP/1.1"');
});

test("a JSON template is filled in as JSON, inside and outside quotation marks", () => {
  const format =
    '{"ua":"<%(a)s>","\\"%(m)s":"%(a)s","bare":%(a)s,"s":%(s)s,"b":%(b)s,"q":"%%","e":"é %({X}i)s"}';
  const sent = entry({ fields: { "user-agent": ALL_BYTES, x: "\xc3\xa9" }, bytes: 0 });
  const read = JSON.parse(Buffer.from(line(format, sent), "latin1").toString());
  assert.deepEqual(read, {
    ua: `<${ALL_BYTES}>`,
    '"GET': ALL_BYTES,
    bare: ALL_BYTES,
    s: 404,
    b: null,
    q: "%",
    e: "é \xc3\xa9",
  });
  // Not JSON, though it begins like it.
  assert.equal(line("{%(m)s}", entry({ method: 'G"' })), "{G\\x22}");
});

test("text of the format and of the environment is written in UTF-8", () => {
  const worker = { ...WORKER, env: { STAGE: "grün" } };
  const text = compileAccessFormat("→ %({STAGE}e)s", worker, nearestName)(entry());
  assert.equal(Buffer.from(text, "latin1").toString(), "→ gr\\xFCn\n");
  const beyond = { ...WORKER, env: { STAGE: "€" } };
  assert.equal(compileAccessFormat("%({STAGE}e)s", beyond, nearestName)(entry()), "\\xE2\\x82\\xAC\n");
});

test("docs/logging.md lists every atom and the presets", () => {
  const text = readFileSync(join(import.meta.dirname, "../../docs/logging.md"), "utf8");
  const rows = text.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  for (const [name, { doc }] of Object.entries(ATOMS)) {
    const row = rows.findLast(([, atom]) => atom === `\`%(${name})s\``);
    assert.equal(row?.[2], doc, name);
  }
  for (const name of ["common", "combined"]) {
    assert.ok(text.includes(`${name.padEnd(8)}  ${PRESETS[name]}\n`), name);
  }
});

function refused(format: string, message: RegExp): void {
  assert.throws(() => compileAccessFormat(format, WORKER, nearestName), {
    name: "AccessFormatError",
    message,
  });
}

test("an invalid format is refused with the nearest atom", () => {
  refused("%(S)s", /^there is no atom %\(S\)s; did you mean %\(s\)s\?$/);
  refused("%(status)s", /did you mean %\(s\)s\?/);
  refused("%(referrrer)s", /did you mean %\(f\)s\?/);
  refused("%(request-time)s", /did you mean %\(L\)s\?/);
  refused("%(nonsense)s", /^there is no atom %\(nonsense\)s: there are h, l, u, t, r,/);
  refused("%(constructor)s", /^there is no atom %\(constructor\)s/);
  refused("%({host}x)s", /^there is no atom %\({host}x\)s: %\({field}i\)s is a field of the request/);
  refused("100%", /^% is not an atom: write %\(name\)s, and %% for a percent sign$/);
  refused("%h", /^%h is not an atom/);
  refused("%(s)d", /^%\(s\)d is not an atom/);
  refused("a\nb", /^a format is one line$/);
  assert.equal(Object.keys(PRESETS).length, 3);
});
