/** While a fetch app is served, nobody but the server may see that `Response` is another: each case beside the real one. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import { fromFetch } from "../../src/interop/fetch.ts";
import { inject } from "../../src/interop/testing.ts";
import { installTextResponse, textAnswer } from "../../src/interop/text-response.ts";

const Real = globalThis.Response;
installTextResponse();
const Ours = globalThis.Response;

type Made = ConstructorParameters<typeof Response>;

/** What can be seen of a response. */
async function seen(response: Response): Promise<unknown> {
  const { status, ok, statusText, type, url, redirected, bodyUsed } = response;
  const fields = [...response.headers];
  const stream = response.body === null ? null : response.body.constructor.name;
  const tag = Object.prototype.toString.call(response);
  const cloned = await response.clone().text();
  const text = await response.text();
  const after = response.bodyUsed;
  return {
    status,
    ok,
    statusText,
    type,
    url,
    redirected,
    bodyUsed,
    fields,
    stream,
    tag,
    cloned,
    text,
    after,
  };
}

function attempt(make: () => Response): Response | string {
  try {
    return make();
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
}

const CASES: { readonly what: string; readonly given: () => unknown[]; readonly plain: boolean }[] = [
  { what: "nothing", given: () => [], plain: true },
  { what: "null", given: () => [null], plain: true },
  { what: "text", given: () => ["Grüße, 世界"], plain: true },
  { what: "text with a lone surrogate", given: () => ["a\ud800b"], plain: true },
  { what: "no text", given: () => [""], plain: true },
  { what: "a status", given: () => ["x", { status: 404 }], plain: true },
  { what: "no init", given: () => ["x", null], plain: true },
  { what: "no content, with its status", given: () => [null, { status: 204 }], plain: true },
  { what: "fields", given: () => ["x", { headers: { "X-B": "1", "x-a": "2" } }], plain: true },
  { what: "a type", given: () => ["{}", { headers: { "Content-Type": "application/json" } }], plain: true },
  { what: "Headers", given: () => ["x", { headers: new Headers({ b: "1", a: "2" }) }], plain: true },
  {
    what: "cookies",
    given: () => {
      const headers = new Headers();
      headers.append("set-cookie", "a=1");
      headers.append("set-cookie", "b=2");
      return [null, { status: 303, headers }];
    },
    plain: true,
  },
  { what: "bytes above ASCII in a field", given: () => ["x", { headers: { a: "\xe9" } }], plain: true },
  { what: "pairs", given: () => ["x", { headers: [["a", "1"]] }], plain: false },
  { what: "a name twice", given: () => ["x", { headers: { A: "1", a: "2" } }], plain: false },
  { what: "a value to trim", given: () => ["x", { headers: { a: " 1 " } }], plain: false },
  { what: "a number as value", given: () => ["x", { headers: { a: 1 } }], plain: false },
  { what: "a value that breaks the line", given: () => ["x", { headers: { a: "1\r\nb: 2" } }], plain: false },
  { what: "a value that is no byte", given: () => ["x", { headers: { a: "世" } }], plain: false },
  { what: "a name that is none", given: () => ["x", { headers: { "a b": "1" } }], plain: false },
  { what: "bytes", given: () => [new Uint8Array([97, 98])], plain: false },
  { what: "a stream", given: () => [new Blob(["ab"]).stream()], plain: false },
  { what: "a form", given: () => [new URLSearchParams({ a: "1" })], plain: false },
  { what: "a number", given: () => [12], plain: false },
  { what: "a reason", given: () => ["x", { statusText: "Fine" }], plain: false },
  { what: "a status out of range", given: () => ["x", { status: 600 }], plain: false },
  { what: "a status that is no number", given: () => ["x", { status: "404" }], plain: false },
  { what: "text where there may be none", given: () => ["x", { status: 204 }], plain: false },
  { what: "an init that is none", given: () => ["x", 1], plain: false },
];

describe("a response is what the real one is", () => {
  for (const { what, given, plain } of CASES) {
    test(what, async () => {
      const ours = attempt(() => new Ours(...(given() as Made)));
      const real = attempt(() => new Real(...(given() as Made)));
      if (typeof ours === "string" || typeof real === "string") {
        assert.equal(ours, real);
        return;
      }
      assert.equal(textAnswer(ours) !== undefined, plain, "kept as text");
      assert.ok(ours instanceof Ours && ours instanceof Real && real instanceof Ours);
      assert.deepEqual(await seen(ours), await seen(real));
      assert.equal(textAnswer(ours), undefined, "read");
    });
  }

  test("the static methods, subclasses, copies and inspection", async () => {
    assert.deepEqual(await seen(Ours.json({ a: 1 })), await seen(Real.json({ a: 1 })));
    assert.equal(Ours.redirect("http://a.example/", 307).status, 307);
    assert.equal(Ours.error().type, "error");
    assert.equal(Ours.prototype, Real.prototype);
    class Teapot extends Ours {
      readonly pot = true;
    }
    const teapot = new Teapot("short", { status: 418 });
    assert.ok(teapot instanceof Teapot && teapot instanceof Real && teapot.pot);
    assert.ok(!(new Ours("x") instanceof Teapot));
    assert.equal(await teapot.text(), "short");
    const first = new Ours("text", { status: 201, headers: { a: "1" } });
    const copy = new Ours(first.body, first);
    assert.deepEqual([copy.status, copy.headers.get("a"), await copy.text()], [201, "1", "text"]);
    assert.equal(first.bodyUsed, true);
    await assert.rejects(first.text(), TypeError);
    const [ours, real] = [new Ours("x"), new Real("x")].map((each) => inspect(each));
    assert.match(ours ?? "", /^Response \{/);
    assert.match(real ?? "", /^Response \{/);
  });
});

describe("the server sends", () => {
  const answer = async (response: () => Response) => {
    const { status, headers, text } = await inject(fromFetch(response));
    return {
      status,
      type: headers["content-type"],
      length: headers["content-length"],
      a: headers.a,
      text: text(),
    };
  };

  test("the text as it is, and fields that were changed afterwards", async () => {
    const text = { status: 200, type: "text/plain;charset=UTF-8", length: "7", a: undefined, text: "Grüße" };
    assert.deepEqual(await answer(() => new Ours("Grüße")), text);
    const changed = new Ours("Grüße");
    changed.headers.set("a", "1");
    assert.deepEqual(await answer(() => changed), { ...text, a: "1" });
  });

  test("what is left of a response that the app has cloned, and an error for one that it has read", async () => {
    const cloned = new Ours("text");
    cloned.clone();
    assert.equal((await answer(() => cloned)).text, "text");
    const read = new Ours("text");
    await read.text();
    assert.equal((await answer(() => read)).status, 500);
  });
});

test("requests are what real ones are, and hand on their fields to those made of them", async () => {
  const { json } = await inject(
    fromFetch(async (request) => {
      const copy = new Request(request, { method: "PUT", body: "x" });
      const clone = request.clone();
      const fields = [copy, clone, request].map((each) => each.headers.get("x-a"));
      const { method, url, mode, signal, bodyUsed } = request;
      const tag = Object.prototype.toString.call(request);
      const isRequest = request instanceof Request && /^Request \{/.test(inspect(request));
      return Response.json({
        ...{ fields, method, url, mode, bodyUsed, tag, isRequest },
        ...{ aborted: signal.aborted, copied: await copy.text(), content: await request.text() },
      });
    }),
    { method: "POST", path: "/a/../b?c", headers: { "x-a": "1" }, body: "content" },
  );
  assert.deepEqual(json(), {
    fields: ["1", "1", "1"],
    method: "POST",
    url: "http://localhost/b?c",
    mode: "cors",
    bodyUsed: false,
    tag: "[object Request]",
    isRequest: true,
    aborted: false,
    copied: "x",
    content: "content",
  });
});

test("what is fetched with a request is asked with its fields", async (t) => {
  const server = createServer((request, response) => response.end(request.headers["x-a"]));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { text } = await inject(
    fromFetch((request) => fetch(request)),
    { headers: { host, "x-a": "1" } },
  );
  assert.equal(text(), "1");
});
