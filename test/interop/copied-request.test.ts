/** Copies of a request abort when its client disconnects, like the request itself, on every version of Node. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { fromFetch } from "../../src/interop/fetch.ts";
import { installFetchClasses } from "../../src/interop/fetch-classes.ts";
import { hasPrivateRequests, holdRequestGlobals } from "../../src/interop/request-globals.ts";
import { inject } from "../../src/interop/testing.ts";
import { testUnderOtherNodes } from "../support/other-nodes.ts";

if (hasPrivateRequests) holdRequestGlobals();
const KeptRequest = globalThis.Request;
installFetchClasses();

/** Calls `look` with a request whose client then disconnects; resolves with what it returned. */
async function untilGone<T>(look: (request: Request) => T, method = "GET"): Promise<T> {
  const client = new AbortController();
  const looked = new Promise<T>((resolve, reject) => {
    const app = fromFetch((request) => {
      try {
        resolve(look(request));
      } catch (error) {
        reject(error);
      }
      setImmediate(() => client.abort());
      return new Promise<Response>(() => {});
    });
    const content = method === "GET" ? {} : { body: "content" };
    inject(app, { method, ...content, signal: client.signal }).catch(() => {});
  });
  const result = await looked;
  if (!client.signal.aborted) await once(client.signal, "abort");
  return result;
}

const COPIES: { readonly [what: string]: (request: Request) => Request } = {
  "a copy": (request) => new Request(request),
  "a copy by the class that a module keeps": (request) => new KeptRequest(request),
  "a copy with other members": (request) => new Request(request, { headers: { a: "1" } }),
  "a copy with no members": (request) => new Request(request, null as unknown as RequestInit),
  "a copy for another URL": (request) => new Request("http://b.example/", request),
  "a clone": (request) => request.clone(),
  "a copy of a clone": (request) => new Request(request.clone()),
  "a copy of a copy": (request) => new Request(new Request(request)),
};

for (const method of ["GET", "POST"]) {
  test(`${method}: copies abort with the request`, async () => {
    for (const [what, copy] of Object.entries(COPIES)) {
      const { signal, before } = await untilGone((request) => {
        const made = copy(request);
        return { signal: made.signal, before: made.signal.aborted };
      }, method);
      assert.deepEqual([before, signal.aborted], [false, true], what);
      assert.equal((signal.reason as Error).name, "ClientGone", what);
    }
  });
}

test("a copy with a signal of its own, or none, does not", async () => {
  const own = new AbortController();
  const [signal, none] = await untilGone((request) => [
    new Request(request, { signal: own.signal }).signal,
    new Request(request, { signal: null }).signal,
  ]);
  assert.deepEqual([signal?.aborted, none?.aborted], [false, false]);
  own.abort();
  assert.equal(signal?.aborted, true);
});

test("a copy keeps its members", async () => {
  const copy = await untilGone((request) => new Request(request, { headers: { a: "1" } }), "POST");
  assert.deepEqual([copy.method, copy.headers.get("a"), await copy.text()], ["POST", "1", "content"]);
});

test("a request that is passed on ends upstream when its client disconnects", async (context) => {
  const upstream = createServer().listen(0, "127.0.0.1");
  await once(upstream, "listening");
  context.after(() => upstream.close());
  const { port } = upstream.address() as AddressInfo;
  const client = new AbortController();
  const ended = new Promise<unknown>((resolve) => {
    const app = fromFetch((request) => {
      const passing = fetch(request);
      passing.catch(resolve);
      return passing;
    });
    inject(app, { headers: { host: `127.0.0.1:${port}` }, signal: client.signal }).catch(() => {});
  });
  const [incoming] = await once(upstream, "request");
  const closed = once(incoming.socket, "close");
  client.abort();
  assert.equal(((await ended) as Error).name, "ClientGone");
  await closed;
});

testUnderOtherNodes(import.meta.url);
