import assert from "node:assert/strict";
import { test } from "node:test";
import { statsdAddress, statsdPrefix, statsdTags } from "../../src/config/statsd-kind.ts";

test("an address is gunicorn's: host:port, or unix:// and a path", () => {
  const udp = (host: string, port: number) => ({ transport: "udp", host, port });
  assert.deepEqual(statsdAddress.parse("statsd:8125"), udp("statsd", 8125));
  assert.deepEqual(statsdAddress.parse(" 10.0.0.1:65535 "), udp("10.0.0.1", 65535));
  assert.deepEqual(statsdAddress.parse("[::1]:8125"), udp("::1", 8125));
  assert.deepEqual(statsdAddress.parse("unix:///run/dsd.socket"), {
    transport: "unix",
    path: "/run/dsd.socket",
  });
  for (const text of ["statsd:8125", "[::1]:8125", "unix:///run/dsd.socket"])
    assert.equal(statsdAddress.format(statsdAddress.parse(text)), text);
  for (const wrong of [
    "",
    "statsd",
    ":8125",
    "statsd:0",
    "statsd:65536",
    "::1:8125",
    "unix:run/x",
    "udp://a:1",
  ])
    assert.throws(() => statsdAddress.parse(wrong), /is not the address of a statsd server: write host:8125/);
});

test("a prefix and tags cannot break a line", () => {
  assert.equal(statsdPrefix.parse("web.shop."), "web.shop.");
  for (const wrong of ["", "a b", "a:b", "a|b", "a\nb"])
    assert.throws(() => statsdPrefix.parse(wrong), /is not a prefix/);
  assert.deepEqual(statsdTags.parse("env:live, team:shop,"), ["env:live", "team:shop"]);
  assert.deepEqual(statsdTags.parse(["env:live", "a,b"]), ["env:live", "a", "b"]);
  for (const wrong of ["", "a|b", "a\nb", "a#b", 7])
    assert.throws(() => statsdTags.parse(wrong), /are not tags/);
});
