import assert from "node:assert/strict";
import { test } from "node:test";
import { Failures, MAX_FAILURES } from "../../../src/control/dashboard/failures.ts";
import { type Caller, Sessions } from "../../../src/control/dashboard/sessions.ts";

const TOKEN = "a-token-of-some-length";
const NOW = Date.parse("2026-01-05T10:00:00.000Z");
const HOUR = 3_600_000;

function caller(headers: Caller["headers"] = {}, now: number = NOW, remote = "10.0.0.1"): Caller {
  return { headers, remote, now };
}

function cookieOf(setCookie: string): string {
  return setCookie.split(";")[0] ?? "";
}

test("a session is accepted until it ends, also by another process with the same token", async () => {
  const [one, other] = [await Sessions.create(TOKEN), await Sessions.create(TOKEN)];
  const cookie = cookieOf(one.logIn(TOKEN, caller()));
  for (const sessions of [one, other]) {
    assert.doesNotThrow(() => sessions.require(caller({ cookie: `a=1; ${cookie}; b=2` }, NOW + 11 * HOUR)));
    assert.throws(() => sessions.require(caller({ cookie }, NOW + 13 * HOUR)), { status: 401 });
  }
});

test("a session of another token, or one that was changed, is none", async () => {
  const sessions = await Sessions.create(TOKEN);
  const cookie = cookieOf(sessions.logIn(TOKEN, caller()));
  const [name, value = ""] = cookie.split("=");
  const [expiry, signature = ""] = value.split(".");
  const wrong = [
    `${name}=${Number(expiry) + HOUR}.${signature}`,
    `${name}=${expiry}.${signature.slice(0, -1)}`,
    `${name}=${expiry}.${"A".repeat(43)}`,
    `${name}=${expiry}.`,
    `${name}=`,
    `x${cookie}`,
    "",
  ];
  for (const each of wrong) assert.equal(sessions.hasSession(caller({ cookie: each })), false, each);
  const foreign = await Sessions.create(`${TOKEN}!`);
  assert.equal(foreign.hasSession(caller({ cookie })), false);
  // Browsers send both servers' cookies to both, where they share a host.
  assert.notEqual(cookieOf(foreign.logIn(`${TOKEN}!`, caller())).split("=")[0], name);
});

test("the cookie is out of reach of scripts and other sites, and of plain HTTP where the page came by HTTPS", async () => {
  const sessions = await Sessions.create(TOKEN);
  const plain = sessions.logIn(TOKEN, caller({ origin: "http://127.0.0.1:9000" }));
  assert.match(plain, /; Max-Age=43200; HttpOnly; SameSite=Strict$/);
  assert.ok(!plain.includes(TOKEN));
  const secure = sessions.logIn(TOKEN, caller({ origin: "https://admin.example" }));
  assert.match(secure, /; HttpOnly; SameSite=Strict; Secure$/);
  assert.match(sessions.logOut(caller()), /^tsgun-[\da-f]{12}=; Max-Age=0;/);
});

test("the token is taken from Authorization", async () => {
  const sessions = await Sessions.create(TOKEN);
  for (const authorization of [`Bearer ${TOKEN}`, `bearer  ${TOKEN}`])
    assert.doesNotThrow(() => sessions.require(caller({ authorization })));
  for (const authorization of [`Basic ${TOKEN}`, `Bearer ${TOKEN}x`, "Bearer", TOKEN, ""])
    assert.throws(() => sessions.require(caller({ authorization })), { status: 401 });
});

test("after too many wrong tokens an address waits, also with the right one; sessions and others do not", async () => {
  const sessions = await Sessions.create(TOKEN);
  const cookie = cookieOf(sessions.logIn(TOKEN, caller()));
  for (let index = 0; index < MAX_FAILURES; index++)
    assert.throws(() => sessions.logIn("wrong", caller()), { status: 401 });
  assert.throws(() => sessions.logIn(TOKEN, caller()), { status: 429, message: /try again in 60 s/ });
  assert.throws(() => sessions.require(caller({ authorization: `Bearer ${TOKEN}` }, NOW + 59_000)), {
    status: 429,
  });
  assert.doesNotThrow(() => sessions.require(caller({ cookie })));
  assert.doesNotThrow(() => sessions.logIn(TOKEN, caller({}, NOW, "10.0.0.2")));
  assert.doesNotThrow(() => sessions.logIn(TOKEN, caller({}, NOW + 60_000)));
});

test("a network of IPv6 counts as one address, and what is remembered is bounded", () => {
  const failures = new Failures();
  for (let index = 0; index < MAX_FAILURES; index++) failures.add(`2001:db8:1:2::${index + 1}`, NOW);
  assert.ok(failures.waitOf("2001:db8:1:2:ffff::1", NOW) > 0);
  assert.equal(failures.waitOf("2001:db8:1:3::1", NOW), 0);
  for (let index = 0; index < MAX_FAILURES; index++) failures.add("::ffff:10.0.0.1", NOW);
  assert.ok(failures.waitOf("::ffff:10.0.0.1", NOW) > 0);
  assert.equal(failures.waitOf("::ffff:10.0.0.2", NOW), 0);
  for (let index = 0; index < 2000; index++) failures.add(`10.1.${index >> 8}.${index & 255}`, NOW);
  assert.equal(failures.waitOf("::ffff:10.0.0.1", NOW), 0);
});
