/** Fetch apps that return a response from a real upstream: the fields that the client gets match the content. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import * as zlib from "node:zlib";
import { Hono } from "hono";
import { proxy } from "hono/proxy";
import { type FetchFunction, fromFetch } from "../../src/interop/fetch.ts";
import { inject } from "../../src/interop/testing.ts";
import { installTextResponse } from "../../src/interop/text-response.ts";
import { startEngine } from "../support/engine.ts";

installTextResponse();

const TEXT = "What the upstream says, more than once. ".repeat(200);

const CODERS: { readonly [coding: string]: (text: string) => Buffer } = {
  gzip: zlib.gzipSync,
  "x-gzip": zlib.gzipSync,
  deflate: zlib.deflateSync,
  br: zlib.brotliCompressSync,
};

/** Responds with the content coding that the path names; `/chunked/gzip` is chunked. */
const upstream: RequestListener = (request, response) => {
  const [, way = "", coding = ""] = /^\/(\w+)\/?(.*)$/.exec(request.url ?? "") ?? [];
  response.setHeader("etag", '"1"');
  response.setHeader("set-cookie", ["a=1", "b=2"]);
  if (coding !== "") response.setHeader("content-encoding", coding);
  if (way === "none") response.writeHead(204).end();
  else if (way === "unchanged") response.writeHead(304).end();
  else if (way === "private")
    response.setHeader("connection", "close, x-hop").setHeader("x-hop", "1").end(TEXT);
  else {
    const content = CODERS[coding]?.(TEXT) ?? Buffer.from(TEXT);
    if (way !== "chunked") response.setHeader("content-length", content.length);
    response.end(content);
  }
};

async function startUpstream(test: TestContext): Promise<string> {
  const server = createServer(upstream).listen(0, "127.0.0.1");
  await once(server, "listening");
  test.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Ways in which apps return a fetched response. */
const APPS: { readonly [way: string]: (origin: string) => FetchFunction } = {
  "the response itself": (origin) => (request) => fetch(origin + new URL(request.url).pathname, request),
  "its clone": (origin) => async (request) =>
    (await fetch(origin + new URL(request.url).pathname, request)).clone(),
  "a response made of it": (origin) => async (request) => {
    const fetched = await fetch(origin + new URL(request.url).pathname, request);
    return new Response(fetched.body, fetched);
  },
  "a response made of its parts": (origin) => async (request) => {
    const { body, status, headers } = await fetch(origin + new URL(request.url).pathname, request);
    return new Response(body, { status, headers: { ...Object.fromEntries(headers), "x-by": "app" } });
  },
  "Hono's body": (origin) => {
    const app = new Hono();
    app.all("*", async (context) => {
      const { body, status, headers } = await fetch(origin + context.req.path, context.req.raw);
      return context.newResponse(body, status as 200, Object.fromEntries(headers));
    });
    return (request) => app.fetch(request);
  },
  "Hono's proxy": (origin) => (request) => proxy(origin + new URL(request.url).pathname, { raw: request }),
};

for (const [way, app] of Object.entries(APPS)) {
  describe(way, () => {
    for (const coding of ["", ...Object.keys(CODERS)]) {
      for (const framing of ["sized", "chunked"]) {
        test(`${coding || "no coding"}, ${framing}`, async (t) => {
          const origin = await startUpstream(t);
          const answer = await inject(fromFetch(app(origin)), { path: `/${framing}/${coding}` });
          assert.deepEqual(answer.errors, []);
          assert.deepEqual([answer.status, answer.text()], [200, TEXT]);
          assert.equal(answer.headers["content-encoding"], undefined);
          assert.equal(answer.headers.etag, '"1"');
        });
      }
    }
  });
}

test("a coding that fetch does not decode is passed on, with its length", async (t) => {
  const origin = await startUpstream(t);
  for (const app of Object.values(APPS).slice(0, 4)) {
    for (const coding of ["compress", "identity", "gzip, identity"]) {
      const answer = await inject(fromFetch(app(origin)), { path: `/sized/${coding.replaceAll(" ", "")}` });
      assert.deepEqual(answer.errors, []);
      assert.equal(answer.headers["content-encoding"], coding.replaceAll(" ", ""));
      assert.equal(answer.headers["content-length"], String(Buffer.byteLength(TEXT)));
    }
  }
});

test("zstd is decoded if fetch supports it, and passed on if not", async (t) => {
  const frame = Buffer.from("KLUv/SAEIQAAdGV4dA==", "base64");
  const server = createServer((_request, response) =>
    response.setHeader("content-encoding", "zstd").end(frame),
  ).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const answer = await inject(fromFetch(() => fetch(url)));
  const content = Buffer.from(answer.body);
  const shown = [answer.headers["content-encoding"], content.toString("base64")];
  const undone = content.toString() === "text";
  assert.deepEqual(shown, undone ? [undefined, "dGV4dA=="] : ["zstd", frame.toString("base64")]);
});

test("content that the app encodes again keeps the app's fields", async (t) => {
  const origin = await startUpstream(t);
  const app: FetchFunction = async () => {
    const fetched = await fetch(`${origin}/sized/br`);
    const coded = zlib.gzipSync(await fetched.text());
    return new Response(coded, { headers: { "content-encoding": "gzip" } });
  };
  const answer = await inject(fromFetch(app));
  assert.equal(answer.headers["content-encoding"], "gzip");
  assert.equal(zlib.gunzipSync(answer.body).toString(), TEXT);
});

test("HEAD, 204 and 304 lose the fields too, as well as the upstream's connection fields", async (t) => {
  const origin = await startUpstream(t);
  const app = fromFetch((request) =>
    fetch(origin + new URL(request.url).pathname, { method: request.method }),
  );
  const head = await inject(app, { method: "HEAD", path: "/sized/gzip" });
  assert.deepEqual(
    [head.status, head.headers["content-encoding"], head.headers["content-length"]],
    [200, undefined, undefined],
  );
  const plain = await inject(app, { method: "HEAD", path: "/sized" });
  assert.equal(plain.headers["content-length"], String(TEXT.length));
  for (const [path, status] of [
    ["/none/gzip", 204],
    ["/unchanged/gzip", 304],
  ] as const) {
    const answer = await inject(app, { path });
    assert.deepEqual([answer.status, answer.headers["content-encoding"]], [status, undefined]);
  }
  const kept = await inject(app, { path: "/private" });
  assert.deepEqual(
    [kept.text(), kept.headers.connection, kept.headers["x-hop"]],
    [TEXT, undefined, undefined],
  );
  assert.deepEqual(kept.values("set-cookie"), ["a=1", "b=2"]);
});

test("curl --compressed decodes the response of a proxying app", async (t) => {
  const origin = await startUpstream(t);
  const { port } = await startEngine(t, fromFetch(APPS["the response itself"]?.(origin) as FetchFunction));
  for (const coding of ["gzip", "br", "deflate", ""]) {
    const url = `http://127.0.0.1:${port}/sized/${coding}`;
    const { stdout } = await promisify(execFile)("curl", ["-sS", "--compressed", "--max-time", "20", url]);
    assert.equal(stdout, TEXT);
  }
});
