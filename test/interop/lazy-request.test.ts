/**
 * While a fetch app is served, its requests behave like real ones, on every version of Node: each case compares a lazy
 * request with a real one.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import { fromFetch } from "../../src/interop/fetch.ts";
import { installFetchClasses } from "../../src/interop/fetch-classes.ts";
import { hasPrivateRequests, holdRequestGlobals } from "../../src/interop/request-globals.ts";
import { inject } from "../../src/interop/testing.ts";
import { testUnderOtherNodes } from "../support/other-nodes.ts";

const RealRequest = globalThis.Request;
const RealHeaders = globalThis.Headers;
const originalFetch = Object.getOwnPropertyDescriptor(globalThis, "fetch");
// As the loader does, before the app's modules keep what they find.
if (hasPrivateRequests) holdRequestGlobals();
const kept = { Request: globalThis.Request, fetch: globalThis.fetch };
class KeptRequest extends globalThis.Request {
  readonly kept = true;
}
installFetchClasses();

interface Sent {
  readonly method?: string;
  readonly headers?: [string, string][];
  readonly body?: string | Uint8Array;
}

/** Returns what `look` finds on the request that an app gets. */
async function onLazy<T>(sent: Sent, look: (request: Request) => T | Promise<T>): Promise<T> {
  let result: { value: T } | undefined;
  const app = fromFetch(async (request) => {
    result = { value: await look(request) };
    return new Response("");
  });
  const rawHeaders = (sent.headers ?? []).flat();
  const answer = await inject(app, { method: "GET", path: "/a?b=c", ...sent, headers: sent.headers ?? [] });
  if (result === undefined) throw answer.errors[0] ?? new Error(`no result for ${rawHeaders}`);
  return result.value;
}

function real({ method = "GET", headers = [], body }: Sent): Request {
  const content = body === undefined ? {} : { body, duplex: "half" as const };
  const request = new RealRequest("http://localhost/a?b=c", { method, ...content });
  request.headers.delete("content-type");
  for (const [name, value] of headers) request.headers.append(name, value);
  return request;
}

/** The outcome of a call, comparable between two requests. */
async function outcome(call: () => unknown): Promise<unknown> {
  try {
    const value = await call();
    if (value instanceof Blob) return { type: value.type, text: await value.text() };
    if (value instanceof FormData)
      return [...value].map(([name, entry]) => [name, typeof entry, String(entry)]);
    return value instanceof ArrayBuffer ? { buffer: Buffer.from(value).toString("hex") } : value;
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
}

const READERS = ["text", "json", "arrayBuffer", "bytes", "blob", "formData"] as const;
type Reader = { [name in (typeof READERS)[number]]: () => Promise<unknown> };
const has = (name: string): boolean => name in RealRequest.prototype;

const FORM: [string, string] = ["content-type", "application/x-www-form-urlencoded"];
const MULTIPART: [string, string] = ["content-type", "multipart/form-data; boundary=b"];
const CONTENTS: { readonly [what: string]: Sent } = {
  "a GET": {},
  "no content": { method: "POST" },
  text: { method: "POST", body: "Grüße, 世界", headers: [["content-type", "text/plain; charset=utf-8"]] },
  "text with a byte order mark": { method: "PUT", body: "\ufefftext" },
  "bytes that are no text": { method: "POST", body: new Uint8Array([0xe4, 0xb8, 0x61, 0xff, 0, 0xf0, 0x9f]) },
  JSON: { method: "POST", body: '{"a":[1,"ü"]}', headers: [["Content-Type", "Application/JSON"]] },
  "JSON with a byte order mark": { method: "POST", body: "\ufeff[1]" },
  "what is no JSON": { method: "POST", body: '{"a":' },
  "a form": { method: "POST", body: "a=1&b=%C3%BC", headers: [FORM] },
  "a form in parts": {
    method: "POST",
    body: '--b\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n',
    headers: [MULTIPART],
  },
  "types that contradict each other": {
    method: "POST",
    body: "a=1",
    headers: [FORM, ["content-type", "text/html"]],
  },
};

describe("the content", () => {
  for (const [what, sent] of Object.entries(CONTENTS)) {
    for (const reader of READERS.filter(has)) {
      test(`${reader} of ${what}, then again`, async () => {
        const look = async (request: Request) => {
          const before = request.bodyUsed;
          const reading = outcome(() => (request as unknown as Reader)[reader]());
          const during = request.bodyUsed;
          return {
            before,
            during,
            value: await reading,
            after: request.bodyUsed,
            again: await outcome(() => (request as unknown as Reader)[reader]()),
            clone: await outcome(() => request.clone().text()),
            copy: await outcome(() => new Request(request).text()),
            body: request.body === null ? null : request.body.constructor.name,
            locked: request.body?.locked,
            method: request.method,
          };
        };
        assert.deepEqual(await onLazy(sent, look), await look(real(sent)));
      });
    }
  }

  test("belongs to the app: its memory is of its own, and of the standard's types", async () => {
    const sent = { method: "POST", body: "content" };
    const bytes = await onLazy(sent, (request) => request.arrayBuffer());
    assert.ok(bytes instanceof ArrayBuffer && bytes.byteLength === 7);
    if (!has("bytes")) return;
    const array = await onLazy(sent, (request) => (request as unknown as Reader).bytes());
    assert.ok(array instanceof Uint8Array && !Buffer.isBuffer(array) && array.buffer.byteLength === 7);
  });

  test("can be read by one reader only, whichever comes first", async () => {
    const first = await onLazy({ method: "POST", body: "content" }, async (request) => {
      const stream = request.body as ReadableStream<Uint8Array>;
      const text = await new Response(stream).text();
      return [text, request.bodyUsed, await outcome(() => request.text())];
    });
    assert.deepEqual(first.slice(0, 2), ["content", true]);
    assert.match(String(first[2]), /^TypeError/);
    const both = await onLazy({ method: "POST", body: "content" }, async (request) => {
      const clone = request.clone();
      return [await request.text(), await clone.text()];
    });
    assert.deepEqual(both, ["content", "content"]);
  });
});

const FIELDS: [string, string][] = [
  ["Host", "localhost"],
  ["X-A", "1"],
  ["x-a", "2"],
  ["Cookie", "a=1"],
  ["cookie", "b=2"],
  ["User-Agent", "one"],
  ["user-agent", "two"],
  ["X-Empty", ""],
  ["Set-Cookie", "c=3"],
  ["set-cookie", "d=4"],
];

describe("the fields", () => {
  const cases: { readonly [what: string]: (headers: Headers) => unknown } = {
    "get and has": (headers) =>
      ["x-a", "X-A", "cookie", "user-agent", "x-empty", "set-cookie", "x-none", "constructor"].map((name) => [
        headers.get(name),
        headers.has(name),
      ]),
    "an invalid name": (headers) => headers.get("a b"),
    "a name that only lower case makes valid": (headers) => headers.has("\u212a"),
    "no name": (headers) => (headers.get as () => unknown)(),
    "a name that is no string": (headers) => headers.get(null as unknown as string),
    iteration: (headers) => [...headers],
    keys: (headers) => [...headers.keys(), ...headers.values()],
    entries: (headers) => [...headers.entries()],
    forEach: (headers) => {
      const seen: unknown[] = [];
      headers.forEach((value, name, owner) => {
        seen.push(name, value, owner === headers);
      });
      return seen;
    },
    getSetCookie: (headers) => headers.getSetCookie(),
    changes: (headers) => {
      headers.set("x-a", "3");
      headers.append("x-b", "4");
      headers.delete("cookie");
      return [headers.get("x-a"), headers.has("cookie"), [...headers]];
    },
    "a copy": (headers) => [...new Headers(headers)],
    "a response with them": (headers) => [...new Response("", { headers }).headers],
    "a request with them": (headers) => [...new Request("http://a/", { headers }).headers],
    "a method called on them": (headers) => [
      RealHeaders.prototype.get.call(headers, "x-a"),
      RealHeaders.prototype.has.call(headers, "x-none"),
      [...RealHeaders.prototype.entries.call(headers)],
    ],
    "the class": (headers) => [
      headers instanceof Headers,
      headers.constructor === Headers,
      Object.prototype.toString.call(headers),
      inspect(headers).startsWith("Headers {"),
      Headers.prototype.entries === Headers.prototype[Symbol.iterator],
      Headers.prototype.get.name,
      Headers.prototype.get.length,
    ],
  };
  for (const [what, look] of Object.entries(cases)) {
    test(what, async () => {
      const sent = { headers: FIELDS };
      const on = (request: Request) => outcome(() => look(request.headers));
      assert.deepEqual(await onLazy(sent, on), await on(real(sent)));
    });
  }

  test("are the same object always, and changes reach the real request", async () => {
    const look = (request: Request) => {
      const { headers } = request;
      headers.set("x-a", "3");
      const copy = new Request(request);
      headers.set("x-b", "4");
      return [headers === request.headers, copy.headers.get("x-a"), new Request(request).headers.get("x-b")];
    };
    assert.deepEqual(await onLazy({ headers: FIELDS }, look), look(real({ headers: FIELDS })));
  });
});

describe("the request", () => {
  const sent: Sent = { method: "POST", headers: [["x-a", "1"]], body: "content" };
  const members = (request: Request) => {
    const names: string[] = [];
    for (const name in request) names.push(name);
    return names.sort();
  };
  const cases: { readonly [what: string]: (request: Request) => unknown } = {
    "its class": (request) => [
      request instanceof Request,
      request instanceof RealRequest,
      request.constructor === Request,
      Object.prototype.toString.call(request),
      inspect(request).startsWith("Request {"),
      Request.name,
      Request.length,
      Request.prototype === RealRequest.prototype,
      Request.prototype.text.name,
    ],
    "its members": (request) => [members(request), Object.keys(request)],
    "its attributes": ({ method, url, mode, cache, credentials, redirect, referrer, duplex }: Request) => {
      return { method, url, mode, cache, credentials, redirect, referrer, duplex };
    },
    "a copy": async (request) => {
      const copy = new Request(request);
      return [copy.method, copy.url, copy.headers.get("x-a"), request.bodyUsed, await copy.text()];
    },
    "a copy with other fields and content": async (request) => {
      const copy = new Request(request, { method: "PUT", headers: { "x-b": "2" }, body: "other" });
      return [copy.method, copy.headers.get("x-a"), copy.headers.get("x-b"), await copy.text()];
    },
    "a copy with another URL": async (request) => {
      const copy = new Request("http://b/", request);
      return [copy.url, copy.method, copy.headers.get("x-a"), await copy.text()];
    },
    "a subclass": async (request) => {
      class Ours extends Request {
        readonly ours = true;
      }
      const copy = new Ours(request);
      return [
        copy instanceof Ours,
        copy instanceof RealRequest,
        copy.ours,
        copy.headers.get("x-a"),
        await copy.text(),
      ];
    },
    "what modules keep from before the app was known": async (request) => {
      const copy = new KeptRequest(request);
      const again = new kept.Request("http://a/", copy);
      return [copy.kept, copy instanceof Request, again.headers.get("x-a"), await again.text()];
    },
    "methods called on it": async (request) => {
      const url = Object.getOwnPropertyDescriptor(RealRequest.prototype, "url")?.get?.call(request);
      const { headers } = RealRequest.prototype.clone.call(request);
      return [url, headers.get("x-a"), await RealRequest.prototype.text.call(request), request.bodyUsed];
    },
    "methods called on something else": () => RealRequest.prototype.text.call({} as Request),
    "no arguments": () => new (Request as unknown as new () => Request)(),
    "an argument that is none": () => new Request(undefined as unknown as string),
    structuredClone: (request) => JSON.stringify(structuredClone(request)),
    "a class without new": () => (Request as unknown as () => void)(),
    "fetch without arguments": () => (fetch as () => unknown)(),
  };
  for (const [what, look] of Object.entries(cases)) {
    test(what, async () => {
      const on = (request: Request) => outcome(() => look(request));
      assert.deepEqual(await onLazy(sent, on), await on(real(sent)));
    });
  }

  test("fetch sends it: the global, one kept before, and one bound", async (t) => {
    const server = createServer(async (request, response) => {
      request.setEncoding("utf8");
      let content = "";
      for await (const piece of request) content += piece;
      response.end(`${request.method} ${request.headers["x-a"]} ${content}`);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => server.close());
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    for (const send of [globalThis.fetch, kept.fetch, fetch.bind(globalThis)]) {
      const text = await onLazy(
        {
          ...sent,
          headers: [
            ["host", host],
            ["x-a", "1"],
          ],
        },
        async (request) => {
          return await (await send(request)).text();
        },
      );
      assert.equal(text, "POST 1 content");
    }
    assert.deepEqual([fetch.name, fetch.length], ["fetch", originalFetch?.value.length]);
    const { enumerable, writable, configurable } = Object.getOwnPropertyDescriptor(globalThis, "fetch") ?? {};
    assert.deepEqual([enumerable, writable, configurable], [true, true, true]);
  });

  test("the signal is one object, aborted or not", async () => {
    const look = (request: Request) => {
      const { signal } = request;
      return [signal === request.signal, signal.aborted];
    };
    assert.deepEqual(await onLazy(sent, look), look(real(sent)));
  });
});

testUnderOtherNodes(import.meta.url);
