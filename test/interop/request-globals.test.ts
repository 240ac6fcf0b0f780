/** The globals that accept lazy requests are there while an app is loaded, and gone if it is no fetch app. */
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { holdRequestGlobals, releaseRequestGlobals } from "../../src/interop/request-globals.ts";

type Name = "Request" | "fetch";

const descriptor = (name: Name) => Object.getOwnPropertyDescriptor(globalThis, name);
/** Before anything has read them: Node loads `Request` on first access. */
const untouched = { request: descriptor("Request"), fetch: descriptor("fetch") };

describe("the globals", () => {
  afterEach(releaseRequestGlobals);

  test("are as they were if they have not been read", () => {
    holdRequestGlobals();
    assert.notDeepEqual(descriptor("fetch"), untouched.fetch);
    releaseRequestGlobals();
    assert.deepEqual(descriptor("Request"), untouched.request);
    assert.deepEqual(descriptor("fetch"), untouched.fetch);
  });

  test("are Node's own again if an app has read them, and work in what it keeps", async () => {
    holdRequestGlobals();
    const kept = { Request: globalThis.Request, fetch: globalThis.fetch };
    class Ours extends globalThis.Request {}
    releaseRequestGlobals();
    assert.notEqual(globalThis.Request, kept.Request);
    assert.equal(globalThis.Request, globalThis.Request.prototype.constructor);
    assert.deepEqual(descriptor("fetch"), untouched.fetch);
    const made = new Ours("http://a/", { method: "POST", body: "x" });
    assert.ok(made instanceof Request && made instanceof kept.Request);
    assert.equal(await new kept.Request(made).text(), "x");
    assert.equal(await (await kept.fetch("data:,text")).text(), "text");
  });

  test("stay what the app has made of them", () => {
    const original = { Request: globalThis.Request, fetch: globalThis.fetch };
    holdRequestGlobals();
    class Request {}
    const fetch = () => Promise.reject(new Error("no network"));
    Object.assign(globalThis, { Request, fetch });
    releaseRequestGlobals();
    assert.deepEqual([globalThis.Request, globalThis.fetch], [Request, fetch]);
    Object.assign(globalThis, original);
  });
});
