/** The addresses of the workers' own sockets, one for each slot. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatAddress } from "../../src/config/address.ts";
import {
  formatWorkerAddresses,
  parseWorkerAddresses,
  tooManyWorkers,
  workerAddress,
  workerLimit,
} from "../../src/config/worker-addresses.ts";

const of = (text: string, slot: number): string =>
  formatAddress(workerAddress(parseWorkerAddresses(text), slot));

test("each slot gets its own address", () => {
  assert.equal(of("unix:run/app-{slot}.sock", 12), "unix:run/app-12.sock");
  assert.equal(of("unix:///run/{slot}/{slot}.sock", 3), "unix:/run/3/3.sock");
  assert.equal(of("unix:/run/9001-9003-{slot}.sock", 1), "unix:/run/9001-9003-1.sock");
  assert.equal(of("127.0.0.1:9001-9016", 1), "127.0.0.1:9001");
  assert.equal(of("127.0.0.1:9001-9016", 16), "127.0.0.1:9016");
  assert.equal(of("[::1]:9001-9016", 2), "[::1]:9002");
  assert.equal(of(":9001-9016", 2), "0.0.0.0:9002");
  assert.equal(of("tcp://localhost:9001-9001", 1), "localhost:9001");
});

test("they are written as they are read", () => {
  for (const text of ["unix:run/app-{slot}.sock", "127.0.0.1:9001-9016", "[::1]:9001-9001"])
    assert.equal(formatWorkerAddresses(parseWorkerAddresses(text)), text);
});

test("a range has as many workers as ports", () => {
  assert.equal(workerLimit(parseWorkerAddresses("127.0.0.1:9001-9016")), 16);
  assert.equal(workerLimit(parseWorkerAddresses("unix:{slot}")), Number.POSITIVE_INFINITY);
  assert.equal(workerLimit(undefined), Number.POSITIVE_INFINITY);
  assert.equal(tooManyWorkers(parseWorkerAddresses(":9001-9002"), 2), undefined);
  assert.equal(tooManyWorkers(undefined, 5000), undefined);
  assert.equal(
    tooManyWorkers(parseWorkerAddresses("127.0.0.1:9001-9001"), 3),
    "worker-bind 127.0.0.1:9001-9001 has ports for 1 worker, not for 3",
  );
});

for (const [text, why] of [
  ["unix:run/app.sock", /has no \{slot\}, and each worker needs a path of its own/],
  [
    "127.0.0.1:9001",
    /is one address, and each worker needs its own: write unix:.* or 127\.0\.0\.1:9001-9016/,
  ],
  ["127.0.0.1:9016-9001", /the last port is below the first/],
  ["127.0.0.1:65000-65536", /a port is at most 65535/],
  ["127.0.0.1:0-3", /is no range of ports/],
  ["unix:", /names no path/],
  ["nonsense here", /is not an address/],
] as const) {
  test(`${text} is refused`, () => {
    assert.throws(() => parseWorkerAddresses(text), why);
  });
}
