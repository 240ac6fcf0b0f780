/** The access log finds the same client address as the request itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readForwarded } from "../../src/exchange/forwarded.ts";
import { ForwardedClients, type LatestClient } from "../../src/exchange/forwarded-client.ts";
import { ProxyRules } from "../../src/exchange/proxy-rules.ts";
import type { Endpoint } from "../../src/gateway/types.ts";

const PEER: Endpoint = { family: "ipv4", address: "10.0.0.1", port: 4000 };
const OTHER: Endpoint = { family: "ipv4", address: "10.0.0.2", port: 4000 };

const CASES: readonly { readonly [name: string]: string }[] = [
  {},
  { "x-forwarded-for": "203.0.113.7" },
  { "x-forwarded-for": "203.0.113.7, 10.0.0.9" },
  { "x-forwarded-for": "198.51.100.1, 203.0.113.7, 10.0.0.9" },
  { "x-forwarded-for": "nonsense" },
  { "x-forwarded-for": "" },
  { "x-forwarded-for": "203.0.113.7", forwarded: "for=198.51.100.1" },
  { forwarded: "for=203.0.113.7;proto=https, for=10.0.0.9" },
  { forwarded: "for=203.0.113.7", "x-forwarded-proto": "https" },
  { forwarded: 'for="[2001:db8::1]:80"' },
];

for (const read of [undefined, ["x-forwarded-for"], ["forwarded"], []] as const) {
  test(`the address is the request's, cached or not, reading ${read ?? "all"}`, () => {
    const rules = new ProxyRules(["10.0.0.0/8"], read);
    const clients = new ForwardedClients(rules);
    // Each peer has a connection, on which every request comes twice.
    const latest = new Map([PEER, OTHER].map((peer) => [peer, { walk: undefined }]));
    for (const fields of CASES) {
      for (const peer of [PEER, OTHER, PEER]) {
        const { address } = readForwarded(fields, peer, rules).remote;
        for (const ofConnection of [latest.get(peer), latest.get(peer), { walk: undefined }]) {
          const found = clients.address(
            { requestField: (name) => fields[name] },
            peer,
            ofConnection as LatestClient,
          );
          assert.equal(found, address, JSON.stringify(fields));
        }
      }
    }
  });
}
