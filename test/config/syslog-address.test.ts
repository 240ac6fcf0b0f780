import assert from "node:assert/strict";
import { test } from "node:test";
import { syslogAddress } from "../../src/config/syslog-address.ts";

test("gunicorn's notations are parsed, and formatted as they were written", () => {
  for (const [text, parsed] of [
    ["udp://localhost:514", { transport: "udp", host: "localhost", port: 514 }],
    ["tcp://10.0.0.1:6514", { transport: "tcp", host: "10.0.0.1", port: 6514 }],
    ["udp://[::1]:514", { transport: "udp", host: "::1", port: 514 }],
    ["unix:///dev/log", { transport: "unix", path: "/dev/log", type: undefined }],
    ["unix:///dev/log#dgram", { transport: "unix", path: "/dev/log", type: "dgram" }],
    ["unix:///run/syslog#stream", { transport: "unix", path: "/run/syslog", type: "stream" }],
  ] as const) {
    assert.deepEqual(syslogAddress.parse(text), parsed);
    assert.equal(syslogAddress.format(parsed), text);
  }
});

test("the default is localhost and port 514", () => {
  assert.deepEqual(syslogAddress.parse("udp://logs"), { transport: "udp", host: "logs", port: 514 });
  assert.deepEqual(syslogAddress.parse("tcp://"), { transport: "tcp", host: "localhost", port: 514 });
});

test("anything else is refused with the accepted notations", () => {
  for (const text of [
    "",
    "/dev/log",
    "unix://log",
    "unix:///dev/log#seqpacket",
    "http://logs:514",
    "udp://a b",
  ]) {
    assert.throws(() => syslogAddress.parse(text), /is not the address of a syslog server: write udp:/, text);
  }
  assert.throws(() => syslogAddress.parse("udp://logs:0"), /a port is between 1 and 65535/);
  assert.throws(() => syslogAddress.parse("udp://logs:70000"), /a port is between 1 and 65535/);
});
