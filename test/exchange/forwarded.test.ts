/** The walk through forwarded fields, including those that clients forge. Rows without `trust` use the default. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { UNIX_ENDPOINT } from "../../src/exchange/endpoint.ts";
import { forwardedFields, forwardedId, hostWithPort, readForwarded } from "../../src/exchange/forwarded.ts";
import {
  lastElements,
  lastQuotableElements,
  parseForwardedElement,
} from "../../src/exchange/forwarded-list.ts";
import { parseForwardedNode } from "../../src/exchange/forwarded-node.ts";
import { ProxyRules } from "../../src/exchange/proxy-rules.ts";
import { joinFields } from "../../src/gateway/fields.ts";
import { FORWARDED_FIELDS, type ForwardedField, LOCAL_PEERS } from "../../src/gateway/proxies.ts";
import type { Endpoint } from "../../src/gateway/types.ts";

interface Row {
  readonly what: string;
  readonly fields: readonly string[];
  readonly trust?: readonly string[];
  readonly only?: readonly ForwardedField[];
  readonly peer?: Endpoint;
  /** `remote` as address and port, without a port of 0. Default: the peer. */
  readonly remote?: string;
  readonly scheme?: "http" | "https";
  readonly host?: string;
  readonly port?: string;
  readonly rootPath?: string;
}

const PEER: Endpoint = { family: "ipv4", address: "127.0.0.1", port: 50000 };
const NEAR = [...LOCAL_PEERS, "10.0.0.0/8"];

function shown({ family, address, port }: Endpoint): string {
  const text = family === "unix" ? "unix" : address;
  return port === 0 ? text : `${text} ${port}`;
}

function play(rows: readonly Row[]): void {
  for (const row of rows) {
    test(row.what, () => {
      const rules = new ProxyRules(row.trust ?? LOCAL_PEERS, row.only ?? FORWARDED_FIELDS);
      const read = () => readForwarded(forwardedFields(row.fields) ?? {}, row.peer ?? PEER, rules);
      const said = read();
      assert.deepEqual(read(), said, "the rules remember lists and addresses");
      const expected = { scheme: row.scheme, host: row.host, port: row.port, rootPath: row.rootPath };
      const { scheme, host, port, rootPath } = said;
      assert.deepEqual({ scheme, host, port, rootPath }, expected);
      assert.equal(shown(said.remote), row.remote ?? shown(row.peer ?? PEER));
    });
  }
}

const xff = (...values: string[]): string[] => values.flatMap((value) => ["X-Forwarded-For", value]);
const forwarded = (...values: string[]): string[] => values.flatMap((value) => ["Forwarded", value]);
const xfp = (value: string): string[] => ["X-Forwarded-Proto", value];

describe("X-Forwarded-For", () => {
  play([
    { what: "no forwarded field", fields: [] },
    { what: "one hop", fields: xff("203.0.113.9"), remote: "203.0.113.9" },
    {
      what: "one hop, by a Unix socket",
      fields: xff("203.0.113.9"),
      peer: UNIX_ENDPOINT,
      remote: "203.0.113.9",
    },
    {
      what: "a client that forges hops",
      fields: xff("6.6.6.6, 7.7.7.7, 203.0.113.9"),
      remote: "203.0.113.9",
    },
    {
      what: "a client that forges a local address",
      fields: xff("127.0.0.1, 203.0.113.9"),
      remote: "203.0.113.9",
    },
    {
      what: "a client that prepends trusted hops",
      fields: xff("6.6.6.6, 10.0.0.1, 203.0.113.9"),
      trust: NEAR,
      remote: "203.0.113.9",
    },
    { what: "two trusted hops", fields: xff("203.0.113.9, 10.0.0.7"), trust: NEAR, remote: "203.0.113.9" },
    {
      what: "two trusted hops and a forged one",
      fields: xff("6.6.6.6, 203.0.113.9, 10.0.0.7"),
      trust: NEAR,
      remote: "203.0.113.9",
    },
    {
      what: "all trusted: the first counts",
      fields: xff("10.0.0.3, 10.0.0.2, 10.0.0.1"),
      trust: NEAR,
      remote: "10.0.0.3",
    },
    {
      what: "every peer trusted: the first counts",
      fields: xff("6.6.6.6, 203.0.113.9"),
      trust: ["*"],
      remote: "6.6.6.6",
    },
    {
      what: "repeated fields form one list",
      fields: xff("6.6.6.6", "203.0.113.9", "10.0.0.7"),
      trust: NEAR,
      remote: "203.0.113.9",
    },
    {
      what: "the client's field before the proxy's",
      fields: xff("127.0.0.1", "203.0.113.9"),
      remote: "203.0.113.9",
    },
    { what: "empty elements are skipped", fields: xff(" , 203.0.113.9 ,, "), remote: "203.0.113.9" },
    { what: "a port", fields: xff("203.0.113.9:4711"), remote: "203.0.113.9 4711" },
    { what: "an IPv6 address", fields: xff("2001:DB8:0::9"), remote: "2001:db8::9" },
    {
      what: "an IPv6 address in brackets, with a port",
      fields: xff("[2001:db8::9]:4711"),
      remote: "2001:db8::9 4711",
    },
    {
      what: "an IPv4-mapped address is an IPv4 address",
      fields: xff("::FFFF:cb00:7109"),
      remote: "203.0.113.9",
    },
    {
      what: "nginx's name for a Unix socket is a hop",
      fields: xff("203.0.113.9, unix:"),
      remote: "203.0.113.9",
    },
    {
      what: "nginx's name for a Unix socket that is not trusted ends the walk",
      fields: xff("6.6.6.6, unix:"),
      trust: ["127.0.0.1"],
      remote: "unix",
    },
    ...[
      "unknown",
      "_hidden",
      "host.example",
      "203.0.113.256",
      "203.0.113.09",
      "1.2.3",
      "203.0.113.9:99999",
      "203.0.113.9:",
      "[::1",
      "::1]",
      "[203.0.113.9]",
      "fe80::1%eth0",
      "203.0.113.9 6.6.6.6",
      '"203.0.113.9"',
      "127.0.0.1\u00a0",
    ].map((wrong) => ({
      what: `${JSON.stringify(wrong)} ends the walk`,
      fields: xff(`6.6.6.6, ${wrong}, 10.0.0.7`),
      trust: NEAR,
      remote: "10.0.0.7",
    })),
    {
      what: "the client's garbage is not reached",
      fields: xff("<script>, 203.0.113.9"),
      remote: "203.0.113.9",
    },
    { what: "garbage alone leaves the peer", fields: xff("garbage") },
    {
      what: "the walk ends after 64 hops",
      fields: xff(`6.6.6.6, ${Array(64).fill("10.0.0.1").join(",")}`),
      trust: NEAR,
      remote: "10.0.0.1",
    },
    {
      what: "it is not read if the rules exclude it",
      fields: xff("203.0.113.9"),
      only: ["x-forwarded-proto"],
    },
  ]);
});

describe("X-Forwarded-Proto, -Host, -Port and -Prefix", () => {
  play([
    { what: "https", fields: xfp("https"), scheme: "https" },
    { what: "in capitals", fields: xfp("HTTPS"), scheme: "https" },
    { what: "wss is https", fields: xfp("wss"), scheme: "https" },
    { what: "ws is http", fields: xfp("ws"), scheme: "http" },
    ...["ftp", "https:", "on", "https://", "__proto__", "javascript"].map((wrong) => ({
      what: `${wrong} is not a scheme`,
      fields: xfp(wrong),
    })),
    {
      what: "the client's value before the proxy's",
      fields: [...xff("203.0.113.9"), ...xfp("https"), ...xfp("http")],
      remote: "203.0.113.9",
      scheme: "http",
    },
    { what: "without X-Forwarded-For only the last counts", fields: xfp("https, http"), scheme: "http" },
    {
      what: "each hop appended one: the outermost counts",
      fields: [...xff("203.0.113.9, 10.0.0.7"), ...xfp("https, http")],
      trust: NEAR,
      remote: "203.0.113.9",
      scheme: "https",
    },
    {
      what: "each hop appended one, after the client's",
      fields: [...xff("6.6.6.6, 203.0.113.9, 10.0.0.7"), ...xfp("https, http, http")],
      trust: NEAR,
      remote: "203.0.113.9",
      scheme: "http",
    },
    {
      what: "one for two hops",
      fields: [...xff("203.0.113.9, 10.0.0.7"), ...xfp("https")],
      trust: NEAR,
      remote: "203.0.113.9",
      scheme: "https",
    },
    {
      what: "a malformed element ends the walk",
      fields: [...xff("203.0.113.9, 10.0.0.7"), ...xfp("https, garbage")],
      trust: NEAR,
      remote: "203.0.113.9",
    },
    { what: "a host", fields: ["X-Forwarded-Host", "shop.example:8443"], host: "shop.example:8443" },
    { what: "an IPv6 host", fields: ["X-Forwarded-Host", "[2001:db8::1]:8443"], host: "[2001:db8::1]:8443" },
    {
      what: "the client's host before the proxy's",
      fields: ["X-Forwarded-Host", "evil.example", "X-Forwarded-Host", "shop.example"],
      host: "shop.example",
    },
    ...[
      "evil.example/path",
      "user@evil.example",
      "a b",
      "[::1",
      "a:99999",
      ":80",
      "a:b",
      'a"b',
      "a\\b",
      "caf\u00e9",
    ].map((wrong) => ({
      what: `${JSON.stringify(wrong)} is not a host`,
      fields: ["X-Forwarded-Host", wrong],
    })),
    { what: "a port", fields: ["X-Forwarded-Port", "8443"], port: "8443" },
    ...["0", "65536", "080", "-1", "8o", "1e3", "123456"].map((wrong) => ({
      what: `${wrong} is not a port`,
      fields: ["X-Forwarded-Port", wrong],
    })),
    { what: "a prefix", fields: ["X-Forwarded-Prefix", "/app/"], rootPath: "/app" },
    { what: "the prefix / is none", fields: ["X-Forwarded-Prefix", "/"], rootPath: "" },
    {
      what: "the prefixes of two hops are joined",
      fields: [...xff("203.0.113.9, 10.0.0.7"), "X-Forwarded-Prefix", "/outer, /inner"],
      trust: NEAR,
      remote: "203.0.113.9",
      rootPath: "/outer/inner",
    },
    {
      what: "the client's prefix before the proxy's",
      fields: [...xff("203.0.113.9"), "X-Forwarded-Prefix", "/evil, /app"],
      remote: "203.0.113.9",
      rootPath: "/app",
    },
    ...["//evil.example", "app", "/a/../b", "/a?b", "/a b", "/\\evil.example"].map((wrong) => ({
      what: `${JSON.stringify(wrong)} is not a prefix`,
      fields: ["X-Forwarded-Prefix", wrong],
    })),
    {
      what: "fields that the proxies do not set are ignored",
      fields: [
        ...xff("203.0.113.9"),
        ...xfp("https"),
        "X-Forwarded-Host",
        "evil.example",
        "X-Forwarded-Port",
        "1",
        "X-Forwarded-Prefix",
        "/evil",
      ],
      only: ["x-forwarded-for", "x-forwarded-proto"],
      remote: "203.0.113.9",
      scheme: "https",
    },
  ]);
});

describe("Forwarded", () => {
  play([
    {
      what: "one hop",
      fields: forwarded("for=203.0.113.9;proto=https;host=shop.example"),
      remote: "203.0.113.9",
      scheme: "https",
      host: "shop.example",
    },
    {
      what: "in quotes, with blanks and capitals",
      fields: forwarded('For="[2001:db8::9]:4711" ; PROTO="HTTPS";Host="shop.example:8443"'),
      remote: "2001:db8::9 4711",
      scheme: "https",
      host: "shop.example:8443",
    },
    {
      what: "a client that forges hops",
      fields: forwarded("for=127.0.0.1;proto=https;host=evil.example, for=203.0.113.9"),
      remote: "203.0.113.9",
    },
    {
      what: "the same in repeated fields",
      fields: forwarded("for=127.0.0.1;proto=https", "for=203.0.113.9;proto=http"),
      remote: "203.0.113.9",
      scheme: "http",
    },
    {
      what: "two trusted hops: the outermost counts",
      fields: forwarded(
        "for=6.6.6.6;host=evil.example",
        "for=203.0.113.9;proto=https;host=shop.example, for=10.0.0.7;proto=http",
      ),
      trust: NEAR,
      remote: "203.0.113.9",
      scheme: "https",
      host: "shop.example",
    },
    {
      what: "a client that opens a quote",
      fields: forwarded('for="6.6.6.6, for=203.0.113.9;proto=http'),
      remote: "203.0.113.9",
      scheme: "http",
    },
    {
      what: "a client that opens a quote before quotes",
      fields: forwarded('for="6.6.6.6;host="', 'for="[2001:db8::9]:80";proto=https'),
      remote: "2001:db8::9 80",
      scheme: "https",
    },
    {
      what: "a client that ends with a backslash",
      fields: forwarded('for="6.6.6.6\\', 'for="[2001:db8::9]"'),
      remote: "2001:db8::9",
    },
    {
      what: "a quoted comma does not end an element",
      fields: forwarded('for=203.0.113.9;ext="a, for=6.6.6.6";proto=https'),
      remote: "203.0.113.9",
      scheme: "https",
    },
    {
      what: "an escaped quote does not end a value",
      fields: forwarded('for=203.0.113.9;ext="\\", for=6.6.6.6;x=\\""'),
      remote: "203.0.113.9",
    },
    {
      what: "a hop without for= ends the walk",
      fields: forwarded("for=6.6.6.6, proto=https"),
      scheme: "https",
    },
    ...["unknown", "_gazonk", '"_gazonk:80"'].map((hidden) => ({
      what: `for=${hidden} ends the walk`,
      fields: forwarded(`for=6.6.6.6, for=${hidden};proto=https`),
      scheme: "https" as const,
    })),
    { what: "a hidden port", fields: forwarded('for="203.0.113.9:_p"'), remote: "203.0.113.9" },
    ...[
      "for=203.0.113.9;for=6.6.6.6",
      "for=203.0.113.9;proto=ftp",
      'for=203.0.113.9;host="a/b"',
      "for",
      "for=",
      "for=203.0.113.9 proto=https",
      'for="203.0.113.9',
      ";=",
      "203.0.113.9",
    ].map((wrong) => ({
      what: `${wrong} is ignored`,
      fields: forwarded(`for=6.6.6.6, ${wrong}`),
    })),
    {
      what: "X-Forwarded-For overrides it: nginx sets that and passes Forwarded on",
      fields: [...forwarded("for=6.6.6.6;proto=https;host=evil.example"), ...xff("203.0.113.9")],
      remote: "203.0.113.9",
    },
    {
      what: "any other X-Forwarded field overrides it",
      fields: [...forwarded("for=6.6.6.6;proto=https;host=evil.example"), ...xfp("http")],
      scheme: "http",
    },
    {
      what: "if proxies set only Forwarded, the X-Forwarded fields are ignored",
      fields: [
        ...forwarded("for=203.0.113.9;proto=https"),
        ...xff("6.6.6.6"),
        ...xfp("http"),
        "X-Forwarded-Host",
        "evil.example",
      ],
      only: ["forwarded"],
      remote: "203.0.113.9",
      scheme: "https",
    },
    {
      what: "if proxies do not set Forwarded, it is ignored",
      fields: forwarded("for=6.6.6.6;proto=https"),
      only: ["x-forwarded-for"],
    },
    {
      what: "X-Forwarded-Prefix is read together with it",
      fields: [...forwarded("for=203.0.113.9"), "X-Forwarded-Prefix", "/app"],
      remote: "203.0.113.9",
      rootPath: "/app",
    },
  ]);
});

test("the forwarded port completes a host without one", () => {
  assert.equal(hostWithPort("a", "8443", "https"), "a:8443");
  assert.equal(hostWithPort("a", "443", "https"), "a");
  assert.equal(hostWithPort("a", "80", "http"), "a");
  assert.equal(hostWithPort("a", "443", "http"), "a:443");
  assert.equal(hostWithPort("a:81", "8443", "https"), "a:81");
  assert.equal(hostWithPort("[::1]", "8443", "https"), "[::1]:8443");
  assert.equal(hostWithPort("[::1]:81", "8443", "https"), "[::1]:81");
  assert.equal(hostWithPort("", "8443", "https"), "");
});

test("an id is accepted if it is safe to log", () => {
  const rules = new ProxyRules(["*"]);
  const idOf = (...values: string[]) =>
    forwardedId(joinFields(values.flatMap((value) => ["X-Request-ID", value]))["x-request-id"], rules);
  for (const good of [
    "f3a1b2",
    "0190c1d2-7a1b-7000-8000-2b0d7b3dcb6d",
    "Root=1-67891233-abcdef",
    "a".repeat(128),
  ]) {
    assert.equal(idOf(good), good);
  }
  for (const bad of [
    "",
    "a b",
    "a\tb",
    "a\r\n[CRITICAL] forged",
    "a\u0085b",
    'a"b',
    "a\\nb",
    "a,b",
    "a;b",
    "caf\u00e9",
    "a".repeat(129),
    "\u001b[31m",
  ]) {
    assert.equal(idOf(bad), undefined, JSON.stringify(bad));
  }
  assert.equal(idOf("one", "two"), undefined, "two of them are none");
  assert.equal(forwardedId("a", new ProxyRules(["*"], [])), undefined);
});

test("lists are parsed from their end, whatever precedes", () => {
  assert.deepEqual(lastElements("a, b ,,c", 9), ["c", "b", "a"]);
  assert.deepEqual(lastElements("a,b,c", 2), ["c", "b"]);
  assert.deepEqual(lastElements("", 9), []);
  assert.deepEqual(lastElements(",", 9), []);
  assert.deepEqual(lastQuotableElements('a, b="1,2" ,,c', 9), ["c", 'b="1,2"', "a"]);
  assert.deepEqual(lastQuotableElements(",", 9), []);
  const own = 'for="[2001:db8::9]:80";x="\\"\\\\"';
  for (const made of ['"', '\\"', '",', '"\\', 'a="b', '",",', "\\", ","]) {
    assert.equal(lastQuotableElements(`${made}, ${own}`, 9)[0], own, JSON.stringify(made));
  }
});

test("an element of Forwarded is parsed into its parameters", () => {
  assert.deepEqual({ ...parseForwardedElement('for=a;x="b\\"c";') }, { for: "a", x: 'b"c' });
  assert.equal(parseForwardedElement("for=a;FOR=b"), undefined);
  assert.equal(parseForwardedElement('for="a'), undefined);
  assert.deepEqual(parseForwardedNode("192.0.2.1:80"), { family: "ipv4", address: "192.0.2.1", port: 80 });
});

test("parsing a long list takes linear time", () => {
  const rules = new ProxyRules(["*"]);
  for (const piece of [",", '",', '\\"', "\\", '"', "a=", "for=a;", ", "]) {
    const long = piece.repeat(800_000 / piece.length);
    readForwarded(joinFields([...xff(long)]), PEER, rules);
    readForwarded(joinFields([...forwarded(long)]), PEER, rules);
  }
});

test("forwarded fields are parsed only if a field name could be one, in any case", () => {
  for (const field of FORWARDED_FIELDS) {
    if (field === "x-request-id") continue;
    for (const name of [
      field,
      field.toUpperCase(),
      field.replaceAll(/(?:^|-)[a-z]/g, (letter) => letter.toUpperCase()),
    ])
      assert.deepEqual(forwardedFields(["Host", "a", name, "b"])?.[field], "b", name);
  }
  const others = ["Host", "forwarded", "Accept", "x-forwarded-for", "X-Real-IP", "1", "From", "a@b"];
  assert.equal(forwardedFields([...others, "X-Forwarded-Ssl", "on", "X-Forwarded-Proto2", "x"]), undefined);
});

test("repeated forwarded fields are joined like any others", () => {
  const raw = [...xff("192.0.2.1", "192.0.2.2"), "x-forwarded-for", "192.0.2.3", ...xfp("https")];
  const { "x-forwarded-for": list, "x-forwarded-proto": proto } = joinFields(raw);
  const collected = forwardedFields(raw);
  assert.deepEqual([collected?.["x-forwarded-for"], collected?.["x-forwarded-proto"]], [list, proto]);
});

test("a list that has led to a client leads there again, and a malformed one to each peer", () => {
  const rules = new ProxyRules(["10.0.0.0/8"]);
  const other: Endpoint = { family: "ipv4", address: "10.0.0.2", port: 1 };
  for (let count = 0; count < 3; count += 1) {
    for (const peer of [PEER, other]) {
      const read = (list: string) => readForwarded({ "x-forwarded-for": list }, peer, rules).remote;
      assert.equal(read("192.0.2.1, 10.0.0.9").address, "192.0.2.1");
      assert.equal(read("192.0.2.1").address, "192.0.2.1");
      assert.equal(read("nonsense"), peer);
      assert.equal(read(`192.0.2.1${", 10.0.0.9".repeat(60)}`).address, "192.0.2.1");
    }
  }
  // Other rules trust others.
  const { remote } = readForwarded({ "x-forwarded-for": "192.0.2.1, 10.0.0.9" }, PEER, new ProxyRules([]));
  assert.equal(remote.address, "10.0.0.9");
});
