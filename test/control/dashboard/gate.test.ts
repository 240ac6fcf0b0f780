import assert from "node:assert/strict";
import type { IncomingHttpHeaders } from "node:http";
import { describe, test } from "node:test";
import { parseAddress } from "../../../src/config/address.ts";
import { admission, isSame, requireSameOrigin } from "../../../src/control/dashboard/gate.ts";

const LOCAL = parseAddress("127.0.0.1:9000");

describe("without a token", () => {
  const open: [bind: string, host: string][] = [
    ["127.0.0.1:9000", "127.0.0.1:9000"],
    ["127.0.0.1:9000", "LocalHost:9000"],
    ["127.0.0.1:9000", "localhost"],
    // A tunnel of ssh has another port at its other end.
    ["127.0.0.1:9000", "localhost:18000"],
    ["127.8.0.1:9000", "127.8.0.1:9000"],
    ["[::1]:9000", "[::1]:9000"],
    ["localhost:9000", "localhost:9000"],
    ["unix:/run/a.sock", "localhost"],
  ];
  for (const [bind, host] of open)
    test(`${bind} is open to those who come as ${host}`, () => {
      assert.equal(admission(parseAddress(bind), false, { host }), "open");
    });

  const shut: [bind: string, headers: IncomingHttpHeaders, why: RegExp][] = [
    [
      "0.0.0.0:9000",
      { host: "127.0.0.1:9000" },
      /only on a loopback address or a Unix socket; set admin-token/,
    ],
    ["[::]:9000", { host: "localhost" }, /only on a loopback/],
    ["192.168.1.4:9000", { host: "localhost" }, /only on a loopback/],
    ["127.0.0.1.example:9000", { host: "localhost" }, /only on a loopback/],
    ["127.0.0.1:9000", { host: "evil.example:9000" }, /not to the Host "evil.example:9000"/],
    ["127.0.0.1:9000", { host: "localhost.evil.example" }, /not to the Host/],
    ["127.0.0.1:9000", { host: "127.0.0.1.evil.example" }, /not to the Host/],
    ["127.0.0.1:9000", { host: "evil.example#@localhost" }, /not to the Host/],
    ["127.0.0.1:9000", { host: "" }, /not to the Host ""/],
    ["127.0.0.1:9000", {}, /not to the Host/],
    ["unix:/run/a.sock", { host: "evil.example" }, /not to the Host/],
    [
      "127.0.0.1:9000",
      { host: "127.0.0.1:9000", "x-forwarded-for": "10.0.0.1" },
      /through a proxy \(it has x-forwarded-for\)/,
    ],
    ["127.0.0.1:9000", { host: "127.0.0.1:9000", forwarded: "for=10.0.0.1" }, /through a proxy/],
    ["unix:/run/a.sock", { host: "localhost", "x-real-ip": "10.0.0.1" }, /through a proxy/],
  ];
  for (const [bind, headers, why] of shut)
    test(`${bind} is shut to ${JSON.stringify(headers)}`, () => {
      const found = admission(parseAddress(bind), false, headers);
      assert.match(typeof found === "object" ? found.refusal : found, why);
    });
});

test("with a token everyone needs it, whatever the address and the name", () => {
  for (const bind of ["127.0.0.1:9000", "0.0.0.0:9000", "unix:/run/a.sock"])
    for (const host of ["localhost", "admin.example"])
      assert.equal(admission(parseAddress(bind), true, { host }), "token");
});

test("a very long Host is not repeated in full", () => {
  const found = admission(LOCAL, false, { host: "x".repeat(5000) });
  assert.ok(typeof found === "object" && found.refusal.length < 400);
});

describe("a command", () => {
  const json = { host: "127.0.0.1:9000", "content-type": "application/json; charset=utf-8" };
  const good: IncomingHttpHeaders[] = [
    json,
    { ...json, origin: "http://127.0.0.1:9000", "sec-fetch-site": "same-origin" },
    { ...json, host: "Admin.example", origin: "https://admin.EXAMPLE" },
  ];
  for (const headers of good)
    test(`may have ${JSON.stringify(headers)}`, () => assert.doesNotThrow(() => requireSameOrigin(headers)));

  const bad: [headers: IncomingHttpHeaders, status: number][] = [
    [{ ...json, "sec-fetch-site": "cross-site" }, 403],
    // Another port of the same host is the same site, and another program.
    [{ ...json, "sec-fetch-site": "same-site" }, 403],
    [{ ...json, "sec-fetch-site": "none" }, 403],
    [{ ...json, origin: "http://evil.example" }, 403],
    [{ ...json, origin: "http://127.0.0.1:8000" }, 403],
    [{ ...json, origin: "null" }, 403],
    [{ ...json, origin: "http://127.0.0.1:9000.evil.example" }, 403],
    [{ ...json, origin: "" }, 403],
    [{ ...json, "content-type": "text/plain" }, 415],
    [{ ...json, "content-type": "application/x-www-form-urlencoded" }, 415],
    [{ ...json, "content-type": "text/plain; application/json" }, 415],
    [{ host: "127.0.0.1:9000" }, 415],
  ];
  for (const [headers, status] of bad)
    test(`must not have ${JSON.stringify(headers)}`, () =>
      assert.throws(() => requireSameOrigin(headers), { name: "HttpError", status }));
});

test("secrets are compared by their content, and other lengths are no error", () => {
  assert.ok(isSame(Buffer.from("abc"), Buffer.from("abc")));
  assert.ok(!isSame(Buffer.from("abd"), Buffer.from("abc")));
  assert.ok(!isSame(Buffer.from(""), Buffer.from("abc")));
});
