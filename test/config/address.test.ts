import assert from "node:assert/strict";
import { test } from "node:test";
import { type Address, formatAddress, parseAddress } from "../../src/config/address.ts";

const GOOD: [text: string, address: Address][] = [
  ["127.0.0.1:8080", { kind: "tcp", host: "127.0.0.1", port: 8080 }],
  ["localhost:80", { kind: "tcp", host: "localhost", port: 80 }],
  ["localhost", { kind: "tcp", host: "localhost", port: 8000 }],
  [":9000", { kind: "tcp", host: "0.0.0.0", port: 9000 }],
  ["9000", { kind: "tcp", host: "0.0.0.0", port: 9000 }],
  ["127.0.0.1:0", { kind: "tcp", host: "127.0.0.1", port: 0 }],
  ["[::1]:8080", { kind: "tcp", host: "::1", port: 8080 }],
  ["[::]", { kind: "tcp", host: "::", port: 8000 }],
  ["tcp://127.0.0.1:8080", { kind: "tcp", host: "127.0.0.1", port: 8080 }],
  ["unix:/run/app.sock", { kind: "unix", path: "/run/app.sock" }],
  ["unix:///run/app.sock", { kind: "unix", path: "/run/app.sock" }],
  ["unix:app:1.sock", { kind: "unix", path: "app:1.sock" }],
];

for (const [text, address] of GOOD) {
  test(`${text} is an address`, () => assert.deepEqual(parseAddress(text), address));
}

const BAD: [text: string, reason: RegExp][] = [
  ["", /is not an address/],
  ["127.0.0.1:http", /is not an address/],
  ["127.0.0.1:65536", /a port is at most 65535/],
  ["::1:8000", /put an IPv6 address in brackets/],
  ["/run/app.sock", /write host:port, \[::1\]:port, :port or unix:\/path/],
  ["unix:", /names no path/],
  ["[::1:8000", /is not an address/],
  ["unix:/a\0b", /NUL/],
  ["fd://3", /sockets from systemd are used without it: leave bind out/],
];

for (const [text, reason] of BAD) {
  test(`${JSON.stringify(text)} is refused`, () => assert.throws(() => parseAddress(text), reason));
}

test("a formatted address parses to the same address", () => {
  for (const text of ["127.0.0.1:8080", "[::1]:8080", "unix:/run/app.sock"]) {
    assert.equal(formatAddress(parseAddress(text)), text);
  }
});
