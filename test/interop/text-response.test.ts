/** While a fetch app is served, the global `Response` behaves like the real one: each case compares the two. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import { Hono } from "hono";
import { fromFetch } from "../../src/interop/fetch.ts";
import { inject } from "../../src/interop/testing.ts";
import { installTextResponse, isText } from "../../src/interop/text-response.ts";

const Real = globalThis.Response;
installTextResponse();
const Ours = globalThis.Response;

type Made = ConstructorParameters<typeof Response>;

/** The observable properties of a response. */
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

describe("a text response equals a real one", () => {
  for (const { what, given, plain } of CASES) {
    test(what, async () => {
      const ours = attempt(() => new Ours(...(given() as Made)));
      const real = attempt(() => new Real(...(given() as Made)));
      if (typeof ours === "string" || typeof real === "string") {
        assert.equal(ours, real);
        return;
      }
      assert.equal(isText(ours), plain, "kept as text");
      assert.ok(ours instanceof Ours && ours instanceof Real && real instanceof Ours);
      assert.deepEqual(await seen(ours), await seen(real));
      assert.equal(isText(ours), false, "read");
    });
  }

  test("its class is the global Response", () => {
    for (const made of [new Ours("x"), new Ours(new Uint8Array(1)), Ours.json(1), new Real("x")]) {
      assert.equal(made.constructor, Ours);
    }
    const again = new (new Ours("x").constructor as typeof Response)("y", { status: 201 });
    assert.deepEqual([again.status, again instanceof Ours], [201, true]);
    assert.deepEqual(
      Object.getOwnPropertyDescriptor(Ours.prototype, "constructor")?.enumerable,
      false,
      "as that of any class",
    );
  });

  test("structuredClone fails as on a real one", () => {
    const attempts = [new Ours("x"), new Real("x")].map((each) => {
      try {
        return JSON.stringify(structuredClone(each));
      } catch (error) {
        return (error as Error).name;
      }
    });
    assert.equal(attempts[0], attempts[1]);
  });

  const JSON_CASES: { readonly what: string; readonly given: () => unknown[]; readonly plain: boolean }[] = [
    { what: "an object", given: () => [{ a: 1 }], plain: true },
    { what: "a status", given: () => ["text", { status: 404 }], plain: true },
    {
      what: "a type",
      given: () => [1, { headers: { "Content-Type": "application/problem+json" } }],
      plain: true,
    },
    { what: "fields", given: () => [null, { headers: { b: "1" } }], plain: true },
    { what: "pairs", given: () => [null, { headers: [["a", "1"]] }], plain: false },
    { what: "nothing", given: () => [undefined], plain: false },
    { what: "what has no JSON", given: () => [() => {}], plain: false },
    { what: "a cycle", given: () => [cycle()], plain: false },
    { what: "a status without content", given: () => [1, { status: 204 }], plain: false },
  ];
  for (const { what, given, plain } of JSON_CASES) {
    test(`JSON of ${what}`, async () => {
      type Given = Parameters<typeof Response.json>;
      const ours = attempt(() => Ours.json(...(given() as Given)));
      const real = attempt(() => Real.json(...(given() as Given)));
      if (typeof ours === "string" || typeof real === "string") {
        assert.equal(ours, real);
        return;
      }
      assert.equal(isText(ours), plain, "kept as text");
      assert.deepEqual(await seen(ours), await seen(real));
    });
  }

  test("the static methods, subclasses, copies and inspection", async () => {
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

function cycle(): unknown {
  const made: { self?: unknown } = {};
  made.self = made;
  return made;
}

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

  test("the text unchanged, and fields that were changed afterwards", async () => {
    const text = { status: 200, type: "text/plain;charset=UTF-8", length: "7", a: undefined, text: "Grüße" };
    assert.deepEqual(await answer(() => new Ours("Grüße")), text);
    const changed = new Ours("Grüße");
    changed.headers.set("a", "1");
    assert.deepEqual(await answer(() => changed), { ...text, a: "1" });
  });

  test("a response that the app has cloned, and a 500 for one that it has read", async () => {
    const cloned = new Ours("text");
    cloned.clone();
    assert.equal((await answer(() => cloned)).text, "text");
    const read = new Ours("text");
    await read.text();
    assert.equal((await answer(() => read)).status, 500);
  });

  const CONTENTS: { readonly [what: string]: () => Response } = {
    text: () => new Ours("text"),
    "text whose fields were looked at": () => {
      const made = new Ours("text");
      made.headers.set("a", "1");
      return made;
    },
    JSON: () => Ours.json({ a: 1 }),
    bytes: () => new Ours(new Uint8Array(4)),
    "a stream": () => new Ours(new Blob(["text"]).stream()),
    "a response of the real class": () => new Real("text"),
  };
  for (const [what, make] of Object.entries(CONTENTS)) {
    for (const method of ["GET", "HEAD"]) {
      test(`a response only once, like any body: ${what}, ${method}`, async () => {
        const made = make();
        const app = fromFetch(() => made);
        assert.equal((await inject(app, { method })).status, 200);
        const again = await inject(app, { method });
        assert.deepEqual([again.status, again.errors.length], [500, 1]);
        assert.ok(again.errors[0] instanceof TypeError);
        assert.equal(again.errors[0].name, "FetchAppError");
        assert.match(again.errors[0]?.message ?? "", /^Body is unusable: .*clone\(\)/);
        assert.equal(made.bodyUsed, true);
        await assert.rejects(made.text(), { name: "TypeError" });
        assert.throws(() => made.clone(), TypeError);
      });
    }
    test(`a clone for each request: ${what}`, async () => {
      const made = make();
      const first = await inject(fromFetch(() => made.clone()));
      const second = await inject(fromFetch(() => made.clone()));
      assert.deepEqual([first.status, second.status], [200, 200]);
      assert.ok(first.text().length > 0);
      assert.equal(first.text(), second.text());
    });
  }

  test("a response without content as often as it is returned", async () => {
    for (const made of [new Ours(null, { status: 404 }), new Real(null, { status: 404 })]) {
      for (let count = 0; count < 2; count += 1)
        assert.equal((await inject(fromFetch(() => made))).status, 404);
    }
  });

  const hono = new Hono().get("/", (context) => context.text("Grüße"));
  const LENGTHS: { readonly [what: string]: { make: () => Response | Promise<Response>; length?: string } } =
    {
      text: { make: () => new Ours("Grüße"), length: "7" },
      "no text": { make: () => new Ours(""), length: "0" },
      JSON: { make: () => Ours.json({ a: 1 }), length: "7" },
      "JSON with pairs as fields": { make: () => Ours.json(1, { headers: [["a", "1"]] }) },
      bytes: { make: () => new Ours(new Uint8Array(4)), length: "4" },
      "a part of a buffer": { make: () => new Ours(new Uint16Array(new ArrayBuffer(8), 2, 2)), length: "4" },
      "a blob": { make: () => new Ours(new Blob(["text"])), length: "4" },
      "a query": { make: () => new Ours(new URLSearchParams({ a: "ü" })), length: "8" },
      "text with pairs as fields": { make: () => new Ours("text", { headers: [["a", "1"]] }), length: "4" },
      "what the app says itself": {
        make: () => new Ours(new ReadableStream(), { headers: { "content-length": "12" } }),
        length: "12",
      },
      "a route of Hono": {
        make: () => hono.fetch(new Request("http://a/", { method: "HEAD" })),
        length: "7",
      },
      nothing: { make: () => new Ours(null) },
    };
  for (const [what, { make, length }] of Object.entries(LENGTHS)) {
    test(`HEAD with the length of GET, if it is known: ${what}`, async () => {
      const head = await inject(fromFetch(make), { method: "HEAD" });
      assert.deepEqual([head.status, head.body.length], [200, 0]);
      assert.deepEqual(head.headers["content-length"], length);
    });
  }

  test("HEAD without reading the app's stream", async () => {
    const seen: string[] = [];
    const stream = (): ReadableStream =>
      new ReadableStream(
        { pull: () => void seen.push("pull"), cancel: () => void seen.push("cancel") },
        { highWaterMark: 0 },
      );
    await inject(
      fromFetch(() => new Ours(stream())),
      { method: "HEAD" },
    );
    assert.deepEqual(seen, ["cancel"]);
  });
});

test("lazy requests equal real ones, and pass their fields to copies", async () => {
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

test("fetch(request) sends the request's fields", async (t) => {
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
