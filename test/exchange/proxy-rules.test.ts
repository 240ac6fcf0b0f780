import assert from "node:assert/strict";
import { test } from "node:test";
import { UNIX_ENDPOINT } from "../../src/exchange/endpoint.ts";
import { parseForwardedNode } from "../../src/exchange/forwarded-node.ts";
import { ProxyRules, RecentMap } from "../../src/exchange/proxy-rules.ts";
import { LOCAL_PEERS } from "../../src/gateway/proxies.ts";
import type { Endpoint } from "../../src/gateway/types.ts";

const end = (text: string): Endpoint => parseForwardedNode(text) as Endpoint;

const TABLE: [peers: readonly string[], trusted: string[], strangers: string[]][] = [
  [
    LOCAL_PEERS,
    ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "unix:"],
    ["10.0.0.1", "::2", "128.0.0.1"],
  ],
  [
    ["10.0.0.0/8"],
    ["10.255.0.1", "::ffff:10.1.1.1", "::ffff:a01:101"],
    ["11.0.0.1", "127.0.0.1", "unix:", "::1"],
  ],
  [["10.1.2.3/8"], ["10.200.0.1"], ["11.1.2.3"]],
  [["2001:db8::/32"], ["2001:DB8:0:0::1", "[2001:db8:ffff::]:80"], ["2001:db9::1", "127.0.0.1"]],
  [["::ffff:10.0.0.0/104"], ["10.3.4.5", "::ffff:10.3.4.5"], ["11.3.4.5", "::1"]],
  [["::/0"], ["::1", "2001:db8::1"], ["10.0.0.1", "::ffff:10.0.0.1", "unix:"]],
  [["0.0.0.0/0"], ["10.0.0.1", "::ffff:10.0.0.1"], ["::1", "unix:"]],
  [["unix"], ["unix:"], ["127.0.0.1"]],
  [["*"], ["unix:", "192.0.2.1", "2001:db8::1"], []],
  [[], [], ["unix:", "127.0.0.1", "::1"]],
];

for (const [peers, trusted, strangers] of TABLE) {
  test(`rules that trust ${peers.join(", ") || "no peer"}`, () => {
    const rules = new ProxyRules(peers);
    for (const text of trusted) assert.equal(rules.trusts(end(text)), true, `${text} should be trusted`);
    for (const text of strangers)
      assert.equal(rules.trusts(end(text)), false, `${text} should not be trusted`);
  });
}

test("an endpoint that closed before its address was read is trusted by * only", () => {
  const gone: Endpoint = { family: "ipv4", address: "", port: 0 };
  assert.equal(new ProxyRules(["0.0.0.0/0", "::/0", "unix"]).trusts(gone), false);
  assert.equal(new ProxyRules(["*"]).trusts(gone), true);
  assert.equal(new ProxyRules(["unix"]).trusts(UNIX_ENDPOINT), true);
});

test("a cache never holds more than its limit, and always what was set last", () => {
  const map = new RecentMap<number>(3);
  for (let count = 0; count < 10; count += 1) {
    map.set(String(count), count);
    assert.equal(map.get(String(count)), count);
    const held = [...Array(10).keys()].filter((key) => map.get(String(key)) !== undefined);
    assert.ok(held.length <= 3, `${held}`);
  }
});
