/**
 * Text responses over the engine: those whose fields are encoded already have the same bytes as those that take the
 * general way, which is also the way of a `respond` that a middleware has replaced.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Handler, Respond } from "../../src/gateway/types.ts";
import { fromFetch } from "../../src/interop/fetch.ts";
import { installFetchClasses } from "../../src/interop/fetch-classes.ts";
import { startEngine } from "../support/engine.ts";

installFetchClasses();

function headersOf(...pairs: [string, string][]): Headers {
  const headers = new Headers();
  for (const [name, value] of pairs) headers.append(name, value);
  return headers;
}

const RESPONSES: { readonly [what: string]: () => Response } = {
  text: () => new Response("Hello"),
  "no text": () => new Response(""),
  "no content": () => new Response(null),
  "text beyond ASCII": () => new Response("Grüße, 世界"),
  "a type": () => new Response("{}", { status: 201, headers: { "Content-Type": "application/json" } }),
  "the type again": () => new Response("[]", { headers: { "content-type": "application/json" } }),
  "a long type": () => new Response("x", { headers: { "Content-Type": `text/x-${"long".repeat(30)}` } }),
  "an empty type": () => new Response("x", { headers: { "Content-Type": "" } }),
  JSON: () => Response.json({ a: 1 }),
  fields: () => new Response("x", { headers: { "X-B": "1", "x-a": "2", Etag: '"1"' } }),
  Headers: () => new Response("x", { headers: headersOf(["b", "1"], ["a", "2"], ["b", "3"]) }),
  cookies: () => new Response("x", { headers: headersOf(["set-cookie", "a=1"], ["set-cookie", "b=2"]) }),
  "a cookie": () => new Response("x", { headers: { "set-cookie": "a=1" } }),
  "a length": () => new Response("abc", { headers: { "Content-Length": "3" } }),
  "an invalid length": () => new Response("abc", { headers: { "Content-Length": "4" } }),
  "a date": () => new Response("x", { headers: { Date: "Thu, 01 Jan 1970 00:00:00 GMT" } }),
  "the end of the connection": () => new Response("x", { headers: { Connection: "close" } }),
  "fields of the server": () => new Response("x", { headers: { "Transfer-Encoding": "gzip", a: "1" } }),
  "a status without content": () => new Response(null, { status: 204 }),
  "a status of a cached page": () => new Response(null, { status: 304, headers: { etag: '"1"' } }),
  "an error": () => new Response("no", { status: 500 }),
  "fields changed later": () => {
    const response = new Response("x", { headers: { a: "1" } });
    response.headers.set("b", "2");
    response.headers.delete("content-type");
    return response;
  },
};

/** A middleware with a `respond` of its own that has all members of the server's. */
function counting(handler: Handler, calls: number[]): Handler {
  return (request, respond) => {
    const own = ((...args: Parameters<Respond>) => {
      calls.push(args[0]);
      return respond(...args);
    }) as Respond;
    return handler(request, Object.assign(own, respond));
  };
}

for (const method of ["GET", "HEAD"]) {
  for (const version of ["1.1", "1.0"]) {
    test(`${method} of HTTP/${version} has the same bytes through a middleware`, async (t) => {
      const calls: number[] = [];
      const app = fromFetch((request) => {
        const what = decodeURIComponent(new URL(request.url).pathname.slice(1));
        return (RESPONSES[what] as () => Response)();
      });
      const direct = await startEngine(t, app);
      const wrapped = await startEngine(t, counting(app, calls));
      for (const what of Object.keys(RESPONSES)) {
        const head = `${method} /${encodeURIComponent(what)} HTTP/${version}\r\nHost: a\r\n\r\n`;
        const [ours, theirs] = await Promise.all(
          [direct, wrapped].map(async (engine) =>
            (await engine.exchange(head)).replace(/Date: .*(?=GMT)/, "Date: "),
          ),
        );
        assert.equal(ours, theirs, what);
        assert.match(ours as string, /^HTTP\/1\.1 \d/, what);
      }
      assert.ok(calls.length >= Object.keys(RESPONSES).length, "the middleware was called for each");
    });
  }
}

test("a text response after another response is an error, and reaches no client", async (t) => {
  const engine = await startEngine(t, async (request, respond) => {
    respond(200, null, "first");
    await fromFetch(() => new Response("second"))(request, respond);
  });
  const received = await engine.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.match(received, /first$/);
  assert.match(String(engine.errors[0]), /respond was called twice/);
});

test("more content types than are remembered", async (t) => {
  let number = 0;
  const app = fromFetch(() => {
    number += 1;
    return new Response("x", { headers: { "Content-Type": `text/x-${number % 200}` } });
  });
  const engine = await startEngine(t, app);
  const client = await engine.connect();
  for (let sent = 1; sent <= 400; sent += 1) {
    client.received = "";
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await client.until((text) => text.endsWith("\r\n\r\nx"));
    assert.match(client.received, new RegExp(`content-type: text/x-${sent % 200}\r\n`));
  }
  client.socket.destroy();
});
